# frozen_string_literal: true

module GardenPlan
  # What is to be done in one week.
  class Week
    def initialize(number, plan)
      @number = Integer(number)
      @plan = plan
    end

    # tasks for the board
    def tasks(limit = 20)
      @plan.tasks.sort_by { |task| -task.urgency }.select { |task| task.in?(@number) }.first(limit)
    end

    def quiet?
      tasks.empty?
    end

    def title
      format("Week %02d of %d", @number, @plan.year)
    end

    def previous
      self.class.new(@number - 1, @plan)
    end

    def following
      self.class.new(@number + 1, @plan)
    end
  end
end
