# frozen_string_literal: true

module GardenPlan
  # What has to be bought for the beds of a year.
  class SeedOrder
    LEFT_OVER = 2

    def initialize(beds)
      @beds = beds
    end

    def compost_litres
      @beds.select(&:raised?).sum { |bed| bed.size * bed.height * 10 }
    end

    def total_size
      @beds.sum(&:size)
    end

    def empty?
      @beds.empty?
    end
  end
end
