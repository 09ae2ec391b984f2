# frozen_string_literal: true

require "set"

module GardenPlan
  # Which plants help each other.
  class Companions
    def self.load(path)
      new(YAML.load_file(path))
    end

    def initialize(pairs)
      @pairs = pairs.map(&:sort)
    end

    # @return [Array<String>]
    def friends_of(plant)
      @pairs.select { |pair| pair.include?(plant) }.to_a.flatten.uniq - [plant]
    end

    def friends?(one, other)
      @pairs.any? { |pair| pair == [one, other].sort }
    end

    def each(&block)
      return enum_for(:each) unless block

      @pairs.each(&block)
    end
  end
end
