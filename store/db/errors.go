package db

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"signalbox/internal/watch"
	"signalbox/ticket"
)

// Wrap says what was being done when an error came up; nil and refusals stay what they are.
func Wrap(doing string, err error) error {
	if err == nil || ticket.AsError(err) != nil {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// TranslateError turns a database's error into what callers of the store may see: where it does not answer, or cannot do it now, that is an
// Unavailable refusal with the cause inside for the log. It is the only place that tells so. That the time of a call was up is no word about the
// database: something else may have taken it.
func TranslateError(err error) error {
	if err == nil || ticket.AsError(err) != nil || !isTransient(err) {
		return err
	}
	if watch.Refused(err) {
		return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "the database does not answer now; the request may be repeated"), err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "it could not be done in time; the request may be repeated"), err)
	}
	return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "the database does not answer now; the request may be repeated"), err)
}

// Left tells that all was done but for so many rows that cannot be read, which the log names (event.unread, ticket.unread). Doing it again meets none of them, or the same.
type Left int

// Error implements error.
func (l Left) Error() string {
	return fmt.Sprintf("%d rows cannot be read and were passed over; all else was done, and the log names them (unread)", int(l))
}

// With gives what went wrong, or else what was left; nil: neither.
func (l Left) With(err error) error {
	if err == nil && l > 0 {
		return l
	}
	return err
}

// refusedTLS is what pgx says where the server speaks no TLS and the address asks for it. It has no type for it.
const refusedTLS = "server refused TLS connection"

// isTransient reports whether the same call may succeed later.
func isTransient(err error) bool {
	var network net.Error
	switch {
	case watch.Refused(err), errors.Is(err, errReadOnly):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return true
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return true
	}
	state, code := postgresState(err), sqliteCode(err)
	if state == "" && errors.As(err, new(unreached)) {
		// No host was such as is asked for (target_session_attrs), as it is until a standby is promoted. What TLS is not satisfied with stays wrong.
		return !strings.Contains(err.Error(), refusedTLS) && !errors.As(err, new(*tls.CertificateVerificationError))
	}
	for _, class := range []string{
		"08",    // connection
		"25006", // read only: a standby after a fail-over
		"0A000", // what a standby does not do, and statements that a migration changed what they are about
		"40",    // rolled back for the sake of others, and repeating did not help
		"53",    // out of memory, disk or connections
		"55P03", // a lock was not to be had
		"57",    // shutting down, starting up, cancelled
		"58",    // its files
	} {
		if state != "" && strings.HasPrefix(state, class) {
			return true
		}
	}
	switch code & 0xff { // the low byte is the primary code
	case sqliteBusy, sqliteLocked, sqliteIO, sqliteFull, sqliteCantOpen:
		return true
	}
	return false
}

// repeatable reports whether the database rolled the transaction back for the sake of others and asks for a repetition.
func repeatable(err error) bool {
	state := postgresState(err)
	return state == "40001" || state == "40P01" // serialization failure, deadlock
}

// SQLite's result codes, as https://sqlite.org/rescode.html lists them.
const (
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteIO       = 10
	sqliteFull     = 13
	sqliteCantOpen = 14
)

// sqliteCode gives SQLite's result code, or 0. The driver is not imported here, so it is known by what it can do.
func sqliteCode(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return 0
}

// postgresState gives PostgreSQL's SQLSTATE, or "".
func postgresState(err error) string {
	var fault *pgconn.PgError
	if errors.As(err, &fault) {
		return fault.Code
	}
	return ""
}

// CleanText makes a text fit for PostgreSQL, which takes neither NUL nor broken UTF-8.
func CleanText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}
