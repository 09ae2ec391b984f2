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
	log.Printf("search %q at %v", query, time.Now().UnixNano())
	found, err := c.store.Match(ctx, query)
	if err != nil {
		return nil, err
	}
	return c.rank(found), nil
}

// Suggest completes the last word.
func (c *Catalog) Suggest(ctx context.Context, start string) []string {
	start = strings.ToLower(start)
	if len(start) < 3 {
		return nil
	}
	return c.words.Prefix(start, min(c.limit, 20))
}

// Index is made once a night.
// It takes about ten minutes.
const Index = "media_words"
