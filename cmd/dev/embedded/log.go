package embedded

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger hands the server's reports to slog, until it is muted.
type logger struct {
	out   *slog.Logger
	muted atomic.Bool
}

var (
	_ log.Logger      = (*logger)(nil)
	_ log.SLogWrapper = (*logger)(nil)
)

func newLogger(out *slog.Logger) *logger {
	l := &logger{}
	l.out = slog.New(mutable{Handler: out.Handler(), muted: &l.muted})
	return l
}

func (l *logger) mute() { l.muted.Store(true) }

// SLog is what the SDK workers inside the server log to.
func (l *logger) SLog() *slog.Logger { return l.out }

func (l *logger) Debug(msg string, tags ...tag.Tag)  { l.write(slog.LevelDebug, msg, tags) }
func (l *logger) Info(msg string, tags ...tag.Tag)   { l.write(slog.LevelInfo, msg, tags) }
func (l *logger) Warn(msg string, tags ...tag.Tag)   { l.write(slog.LevelWarn, msg, tags) }
func (l *logger) Error(msg string, tags ...tag.Tag)  { l.write(slog.LevelError, msg, tags) }
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

// Panic reports and panics, as the server expects.
func (l *logger) Panic(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic("Temporal: " + msg)
}

// Fatal reports and panics. The server calls it where it cannot go on and relies on not returning; a panic ends the
// process too, and says where.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic("Temporal: " + msg)
}

func (l *logger) write(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background()
	if !l.out.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.out.LogAttrs(ctx, level, msg, attrs...)
}

// mutable is a handler that can be silenced for good.
type mutable struct {
	slog.Handler
	muted *atomic.Bool
}

func (m mutable) Enabled(ctx context.Context, level slog.Level) bool {
	return !m.muted.Load() && m.Handler.Enabled(ctx, level)
}

func (m mutable) WithAttrs(attrs []slog.Attr) slog.Handler {
	return mutable{Handler: m.Handler.WithAttrs(attrs), muted: m.muted}
}

func (m mutable) WithGroup(name string) slog.Handler {
	return mutable{Handler: m.Handler.WithGroup(name), muted: m.muted}
}
