package api

import (
	"log/slog"
	"net/http"
	"strings"
)

// Routes binds the handlers, sorted by path.
func (a *API) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /fines", a.fines)
	mux.HandleFunc("GET /loans", a.loans)
	mux.HandleFunc("POST /loans", a.lend)
	mux.HandleFunc("GET /readers/{id}", a.reader)
	mux.HandleFunc("PUT /readers/{id}", a.saveReader)
	mux.HandleFunc("DELETE /reservations/{id}", a.cancel)
	mux.HandleFunc("POST /reservations", a.reserve)
	mux.HandleFunc("GET /status", a.status)
}

// cancel takes a reader out of a queue.
func (a *API) cancel(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimSpace(r.PathValue("id"))
	if err := a.queue.Cancel(r.Context(), id); err != nil {
		a.fail(w, err)
		return
	}
	slog.Info("cancelled", "reservation", id)
	w.WriteHeader(http.StatusOK)
}

// status says that the server is up.
func (a *API) status(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte("ok"))
}
