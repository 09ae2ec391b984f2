# frozen_string_literal: true

module GardenPlan
  # A piece of earth that is planted as one.
  class Bed
    attr_reader :name, :size, :sun, :height

    PATH_WIDTH = 0.4

    SUN = %w[full half shade].freeze

    def initialize(name, size, sun: "full", height: 0)
      raise ArgumentError, "no such light: #{sun}" unless SUN.include?(sun)

      @name = name
      @sun = sun
      @size = size
      @height = height
    end

    # how many plants of that distance (in metres) fit in
    def room_for(distance)
      return 0 unless distance.positive?

      (size / (distance * distance)).floor
    end

    def shady?
      sun == "shade"
    end

    def raised?
      height > 20
    end
  end
end
