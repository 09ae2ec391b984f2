package scanner

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// ErrRejected says that the server has refused a file and will always do so.
var ErrRejected = errors.New("file rejected")

// Upload sends one file of scans to the server.
func Upload(client *http.Client, url, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read scans: %w", err)
	}
	response, err := client.Post(url, "text/csv", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 500:
		return errors.New(response.Status)
	case response.StatusCode >= 400:
		return ErrRejected
	}
	return os.Remove(name)
}
