package catalog

import (
	"context"
	"log"
	"strings"
	"time"
)

// Search finds media by words of title and author.
func (c *Catalog) Search(ctx context.Context, words string) ([]Medium, error) {
	query := strings.Join(strings.Fields(words), " & ")
	if query == "" {
		return nil, nil
	}
	log.Printf("search %q", query)
	found, err := c.store.Match(ctx, query)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Suggest completes the last word.
func (c *Catalog) Suggest(ctx context.Context, start string) []string {
	start = strings.ToLower(start)
	if len(start) < 3 {
		return nil
	}
	return c.words.Prefix(start, 10)
}

// Index is made once a night.
// It takes about ten minutes.
const Index = "media_words"
