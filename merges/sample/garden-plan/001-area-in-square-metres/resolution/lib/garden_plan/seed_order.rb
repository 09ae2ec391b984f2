# frozen_string_literal: true

module GardenPlan
  # What has to be bought for the beds of a year.
  class SeedOrder
    GRAMS_LEFT_OVER = 2

    def initialize(beds)
      @beds = beds
    end

    def compost_litres
      @beds.select(&:raised?).sum { |bed| bed.area_m2 * bed.height * 10 }
    end

    def total_area
      @beds.sum(&:area_m2)
    end

    def empty?
      @beds.empty?
    end
  end
end
