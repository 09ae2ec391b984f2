# frozen_string_literal: true

require "csv"

module GardenPlan
  # The harvests of a year as a table.
  class HarvestExport
    HEADERS = ["Date", "Bed", "Plant", "Variety", "Weight (kg)"].freeze

    def initialize(harvests)
      @harvests = harvests.sort_by(&:date)
    end

    def to_csv
      CSV.generate do |csv|
        csv << HEADERS
        each { |h| csv << [h.date, h.bed, *h.plant_and_variety, format("%.2f", h.weight)] }
      end
    end

    def each(&block)
      @harvests.each(&block)
    end

    def total
      @harvests.sum(&:weight)
    end

    def best
      @harvests.max_by(&:weight)
    end

    # a title for the notice board
    def title
      "Harvests of #{@harvests.first&.date&.year}"
    end
  end
end
