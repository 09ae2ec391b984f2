# frozen_string_literal: true


module GardenPlan
  # Warns of cold nights.
  class Frost
    def initialize(settings, forecast)
      @settings = settings
      @forecast = forecast || []
    end

    def cold_nights
      limit = @settings.fetch("threshold_celsius")
      @forecast.select { |night| night.low <= limit }
    end

    # for the notice on the start page
    def notice
      night = cold_nights.first
      night && "Frost on #{night.date}, cover the beds."
    end

    def text(night)
      "On #{night.date} it gets #{night.low} degrees."
    end

    def quiet?
      cold_nights.empty?
    end
  end
end
