package fines

// Rates of the fee table, by kind of medium.
var perDay = map[string]float64{"book": 0.2, "dvd": 1, "game": 1.5}

// Days are whole days; the day of return does not count.
// Closed days are taken out before.
func Days(hours int) int {
	return (hours + 23) / 24
}

// For gives the fine of a kind of medium after some days.
// Kinds without a rate cost nothing.
func For(kind string, days int) float64 {
	return min(perDay[kind]*float64(days), Ceiling)
}

// Known tells whether there is a rate for the kind.
func Known(kind string) bool {
	_, ok := perDay[kind]
	return ok
}
