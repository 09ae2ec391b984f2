# frozen_string_literal: true

module GardenPlan
  # A piece of earth that is planted as one.
  class Bed
    attr_reader :name, :area_m2, :sun, :height

    PATH_WIDTH = 0.4

    SUN = %w[full half shade].freeze

    def initialize(name, area_m2, sun: "full", height: 0)
      raise ArgumentError, "no such light: #{sun}" unless SUN.include?(sun)

      @name = name
      @sun = sun
      @area_m2 = Float(area_m2)
      @height = height
    end

    # how many plants of that distance (in metres) fit in
    def room_for(distance)
      return 0 unless distance.positive?

      (area_m2 / distance**2).floor
    end

    def shady?
      sun == "shade"
    end

    def raised?
      height > 20
    end
  end
end
