# frozen_string_literal: true

module GardenPlan
  VERSION = "2.7.0"

  # files of plans carry this number
  PLAN_FORMAT = 3

  # older formats that are still read
  READABLE = [1, 2, 3].freeze
end
