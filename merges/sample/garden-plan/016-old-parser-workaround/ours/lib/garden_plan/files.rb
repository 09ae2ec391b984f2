# frozen_string_literal: true

require "yaml"

module GardenPlan
  # Reads and writes plans; psych 5.2 or newer is required.
  module Files
    module_function

    # goes as soon as we require psych 5.2
    YAML.singleton_class.alias_method(:load_plan, :unsafe_load)

    def read(path)
      YAML.load_plan(File.read(path))
    end

    def write(path, plan)
      File.write(path, YAML.dump(plan.to_h))
    end
  end
end
