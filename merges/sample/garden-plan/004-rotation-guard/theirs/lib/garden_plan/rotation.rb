# frozen_string_literal: true

module GardenPlan
  # Says which family of plants may follow in a bed.
  class Rotation
    YEARS_OF_REST = { "cabbage" => 4, "onion" => 3, "nightshade" => 3 }.freeze

    def initialize(history)
      @history = history
    end

    def allowed?(bed, family, year)
      rest = YEARS_OF_REST.fetch(family, 0)
      (1..rest).none? { |ago| @history.dig(bed, year - ago) == family }
    end

    # the year in which the family may come back
    def next_year(bed, family)
      last = (@history[bed] || {}).select { |_, grown| grown == family }.keys.max
      last ? last + YEARS_OF_REST.fetch(family, 0) + 1 : 0
    end
  end
end
