# frozen_string_literal: true

require "net/http"

module GardenPlan
  # Asks a weather station.
  class Weather
    NEAREST = "https://station.example/valley"

    attr_reader :station

    def initialize(station = nil)
      @cache = {}
      @station = station || NEAREST
    end

    # millimetres of rain on that day
    def rain(day)
      @cache[day] ||= Float(load(day))
    end

    def load(day)
      Net::HTTP.get(URI("#{station}/rain/#{day}"))
    end

    def dry?(days)
      days.sum { |day| rain(day) } < 2
    end

    def to_s
      "weather of #{station}"
    end
  end
end
