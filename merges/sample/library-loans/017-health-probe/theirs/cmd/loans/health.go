package main

import (
	"net/http"
	"time"
)

// alive answers as long as the process runs.
func alive(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(200) //nolint:mnd
	if r.Method == http.MethodHead {
		return
	}
	w.Write([]byte("alive\n"))
}

// ready answers once migrations have run.
func ready(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.migrated.Load() {
			http.Error(w, "migrating", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ready\n"))
	}
}

const probeEvery = 10 * time.Second
