# frozen_string_literal: true

require "csv"

module GardenPlan
  # The harvests of a year as a table.
  class HarvestExport
    HEADERS = ["Date", "Bed", "Plant", "Weight"].freeze

    def initialize(harvests)
      @harvests = harvests
    end

    def to_csv
      CSV.generate do |csv|
        csv << HEADERS
        each { |h| csv << [h.date, h.bed, h.plant, h.weight] }
      end
    end

    def each(&block)
      @harvests.each(&block)
    end

    # deprecated in 2.5
    def to_semicolons
      to_csv.tr(",", ";")
    end

    def total
      @harvests.sum(&:weight)
    end

    def best
      @harvests.max_by(&:weight)
    end

    # title
    def title
      "Harvests of #{@harvests.first&.date&.year}"
    end
  end
end
