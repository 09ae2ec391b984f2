# frozen_string_literal: true

module GardenPlan
  # Draws the plan of a garden as text.
  class Printer
    LEGEND = Plants.all.to_h { |plant| [plant.key, plant.letter] }.freeze

    def initialize(plan, out: $stdout)
      @plan = plan
      @out = out
    end

    def line(row, scale)
      row.map { |cell| letter(cell) * scale }.join
    end

    # a cell without a plant is earth
    def letter(cell)
      LEGEND[cell] || "."
    end

    def print(scale: 2)
      rows.each { |row| scale.times { @out.puts(line(row, scale)) } }
    end

    def rows
      @plan.grid.transpose
    end

    private

    def today() Date.today.strftime('%d.%m.%Y') end
  end
end
