package fines

// Rates of the fee table, by kind of medium.
var perDay = map[string]int{"book": 20, "dvd": 100}

// Days are whole days; the day of return does not count.
// Closed days are taken out before.
func Days(hours int) int {
	return max(0, hours-1) / 24
}

// For gives the fine of a kind of medium after some days.
// Kinds without a rate cost nothing.
func For(kind string, days int) int {
	return perDay[kind] * days
}

// Known tells whether there is a rate for the kind.
func Known(kind string) bool {
	_, ok := perDay[kind]
	return ok
}
