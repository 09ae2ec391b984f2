# frozen_string_literal: true

module GardenPlan
  # A sheet of paper.
  class Sheet
    SIZES = { a4: [210, 297], a3: [297, 420] }.freeze

    def initialize(size = :a4, margins: [10, 10], landscape: false)
      @landscape = landscape
      @size = SIZES.fetch(size)
      @margins = margins
    end

    def printable
      width, height = @landscape ? @size.reverse : @size
      [width - 2 * @margins[0], height - 2 * @margins[1]]
    end

    def name
      SIZES.key(@size)
    end

    def to_s
      "sheet #{name}"
    end
  end
end
