# frozen_string_literal: true

require_relative "lib/garden_plan/version"

Gem::Specification.new do |spec|
  spec.name = "garden_plan"
  spec.version = GardenPlan::VERSION
  spec.summary = "Plans the beds of an allotment for a year"
  spec.authors = ["The allotment society"]
  spec.files = Dir["lib/**/*.rb", "config/*.yml"]
  spec.bindir = "exe"
  spec.executables = ["garden-plan"]
  spec.required_ruby_version = ">= 3.4", "< 4"
  spec.add_dependency "psych", ">= 5.2"
end
