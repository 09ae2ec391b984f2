package media

import "strings"

// Valid checks the digits of an ISBN.
func Valid(isbn string) bool {
	isbn = strings.ReplaceAll(strings.TrimSpace(isbn), "-", "")
	if len(isbn) != 13 {
		return false
	}
	sum := 0
	for i, c := range isbn {
		weight := 1 + i%2*2
		sum += int(c-'0') * weight
	}
	return sum%10 == 0
}

// Group is the part that names the language area.
func Group(isbn string) string {
	switch {
	case strings.HasPrefix(isbn, "97887"):
		return "Danish"
	default:
		return "other"
	}
}
