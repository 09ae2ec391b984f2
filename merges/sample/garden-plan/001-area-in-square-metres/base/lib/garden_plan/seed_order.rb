# frozen_string_literal: true

module GardenPlan
  # What has to be bought for the beds of a year.
  class SeedOrder
    LEFT_OVER = 2

    def initialize(beds)
      @beds = beds
    end

    def total_size
      @beds.sum(&:size)
    end

    def empty?
      @beds.empty?
    end
  end
end
