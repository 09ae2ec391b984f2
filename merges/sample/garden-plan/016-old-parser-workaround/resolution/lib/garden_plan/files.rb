# frozen_string_literal: true

require "yaml"

module GardenPlan
  # Reads and writes plans; psych 5.2 or newer is required.
  module Files
    module_function


    def read(path)
      YAML.safe_load_file(path, permitted_classes: [Date])
    end

    def write(path, plan)
      File.write(path, YAML.dump(plan.to_h))
    end
  end
end
