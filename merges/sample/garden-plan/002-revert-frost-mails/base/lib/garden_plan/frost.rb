# frozen_string_literal: true

require "net/smtp"

module GardenPlan
  # Warns of cold nights.
  class Frost
    def initialize(settings, forecast)
      @settings = settings
      @forecast = forecast
    end

    def cold_nights
      limit = @settings.fetch("threshold_celsius")
      nights = @forecast.select { |night| night.low <= limit }
      nights.each { |night| mail(night) } if @settings["mail"]
      nights
    end

    # for the notice on the start page
    def notice
      night = cold_nights.first
      night && "Frost on #{night.date}, cover the beds."
    end

    def text(night)
      "On #{night.date} it gets #{night.low} degrees."
    end

    def mail(night)
      Net::SMTP.start("localhost") { |smtp| smtp.send_message(text(night), FROM, TO) }
    end

    def quiet?
      cold_nights.empty?
    end
  end
end
