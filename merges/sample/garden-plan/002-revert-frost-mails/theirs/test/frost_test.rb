# frozen_string_literal: true

require_relative "helper"

class FrostTest < Minitest::Test
  Night = Struct.new(:date, :low)

  def test_cold_nights
    frost = GardenPlan::Frost.new({ "threshold_celsius" => 2 }, [Night.new("2031-04-02", 1)])
    assert_equal 1, frost.cold_nights.size
  end

  def test_warm_night
    frost = GardenPlan::Frost.new({ "threshold_celsius" => 2 }, [Night.new("2031-06-02", 9)])
    assert_empty frost.cold_nights
  end
end
