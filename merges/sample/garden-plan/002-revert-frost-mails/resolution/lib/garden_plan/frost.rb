# frozen_string_literal: true

require "time"

module GardenPlan
  # Warns of cold nights.
  class Frost
    def initialize(settings, forecast)
      @settings = settings
      @forecast = forecast || []
    end

    def cold_nights
      limit = @settings.fetch("threshold_celsius")
      raise ArgumentError, "threshold: #{limit}" unless limit.between?(-5, 10)

      @forecast.select { |night| night.low <= limit }
    end

    # for the notice on the start page
    def notice
      night = cold_nights.first
      night && "Frost on #{Time.parse(night.date).strftime('%A')}, cover the beds."
    end

    def text(night)
      "On #{night.date} it gets #{night.low} degrees."
    end

    def quiet?
      cold_nights.empty?
    end
  end
end
