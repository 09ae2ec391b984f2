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

// UploadAll sends all the files, oldest first, and goes on after a rejected one.
func UploadAll(client *http.Client, url string, names []string) (sent int, err error) {
	for _, name := range names {
		switch err := Upload(client, url, name); {
		case errors.Is(err, ErrRejected):
			if err := os.Rename(name, name+".rejected"); err != nil {
				return sent, err
			}
		case err != nil:
			return sent, err
		default:
			sent++
		}
	}
	return sent, nil
}

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
	if response.StatusCode >= 300 {
		return errors.New(response.Status)
	}
	return os.Remove(name)
}
