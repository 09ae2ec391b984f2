package scanner

import (
	"fmt"
	"strings"
	"time"
)

// Scan is one beep of a hand scanner.
type Scan struct {
	Code    string    `json:"trackingCode"`
	Depot   string    `json:"depotCode"`
	Battery int       `json:"battery,omitempty"`
	At      time.Time `json:"at"`
}

// ParseScan reads "PH123;HAM1;2025-03-01T08:15:00Z".
func ParseScan(line string) (Scan, error) {
	cells := strings.Split(strings.TrimSpace(line), ";")
	if len(cells) != 3 {
		return Scan{}, fmt.Errorf("scan has %d cells, not 3: %q", len(cells), line)
	}
	at, err := time.Parse(time.RFC3339, cells[2])
	if err != nil {
		return Scan{}, fmt.Errorf("scan %s: %w", cells[0], err)
	}
	return Scan{Code: cells[0], Depot: cells[1], At: at}, nil
}
