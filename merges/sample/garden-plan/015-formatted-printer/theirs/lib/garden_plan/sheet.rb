# frozen_string_literal: true

module GardenPlan
  # A sheet of paper.
  class Sheet
    SIZES = { a4: [210, 297], a3: [297, 420] }.freeze

    def initialize(size = :a4, margins: [10, 10])
      @size = SIZES.fetch(size)
      @margins = margins
    end

    def printable
      @size.zip(@margins).map { |side, margin| side - (2 * margin) }
    end

    def name
      SIZES.key(@size)
    end

    def to_s
      name.to_s
    end
  end
end
