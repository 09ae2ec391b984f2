# frozen_string_literal: true

module GardenPlan
  # Draws the plan of a garden as text.
  class Printer
    LEGEND = {
      "carrot" => "C",
      "leek" => "L",
      "bean" => "B"
    }.freeze

    def initialize(plan, out: $stdout)
      @plan = plan
      @out = out
    end

    def line(row)
      row.map { |cell| letter(cell) }.join
    end

    # a cell without a plant is earth
    def letter(cell)
      LEGEND[cell] || "."
    end

    def print
      rows.each do |row|
        @out.puts(line(row))
      end
    end

    def rows
      @plan.grid.transpose
    end

    private

    def today
      Date.today.strftime("%d.%m.%Y")
    end
  end
end
