package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

func marshal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// operation is a handling under a key ("": none).
func (b *bench) operation(key string) desk.Operation {
	now := b.clock.Now()
	return desk.Operation{ID: b.id(), Request: request(key), Kind: desk.KindHandle, Ticket: ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"},
		Command: &ticket.Command{Action: ticket.Accept, Operator: "li"}, Answer: desk.Answer{Status: 200, Body: json.RawMessage(`{"a":  1}`)},
		State: desk.Running, CreatedAt: now, Lease: now.Add(30 * time.Second)}
}

// opening is an operation that opens a ticket.
func (b *bench) opening(key string) (desk.Operation, func(*desk.Operation) error) {
	op := b.operation(key)
	op.Kind, op.Series, op.Command = desk.KindOpen, ticket.SeriesIM, nil
	op.Ticket = ticket.Identity{UUID: b.id(), Tenant: "a"}
	return op, func(op *desk.Operation) error {
		events, err := ticket.Open(draft("x"), op.Ticket, op.ID, op.CreatedAt)
		op.Opening = events
		op.Answer = desk.Answer{Status: 200, Body: json.RawMessage(marshal(op.Ticket.Number))}
		return err
	}
}

func nothing(*desk.Operation) error { return nil }

// TestAnEffectThatFailsIsNotTakenForATakenKey: what an effect adds and is there already is a fault of its own. It is told, and not tried for as long as the caller waits.
func TestAnEffectThatFailsIsNotTakenForATakenKey(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(`INSERT INTO rebuilds (tenant, content, updated_at) VALUES ('a', '{}', '2026-01-02 03:04:05.000000+00:00')`)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tried := 0
		_, _, err = b.ledger.Transact(ctx, b.operation("k"), func(ctx context.Context) (desk.Answer, error) {
			if tried++; tried == 100 {
				cancel()
			}
			return desk.Answer{}, b.Execute(ctx, `INSERT INTO rebuilds (tenant, content, updated_at) VALUES ('a', '{}', ?)`, "2026-01-02 03:04:05.000000+00:00")
		})
		require.Error(t, err)
		require.Equal(t, 1, tried)
	})
}

func TestWhatMakesTwoRequestsTheSame(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		claim := func(change func(*desk.Operation)) (bool, error) {
			op := b.operation("k")
			change(&op)
			_, fresh, err := b.ledger.Claim(t.Context(), op, nothing)
			return fresh, err
		}
		fresh, err := claim(func(*desk.Operation) {})
		require.NoError(t, err)
		require.True(t, fresh)
		for _, change := range []func(*desk.Operation){
			func(op *desk.Operation) { op.Request.App.Tenant = "b" },
			func(op *desk.Operation) { op.Request.App.Code = "other" },
			func(op *desk.Operation) { op.Request.Method = "PUT" },
			func(op *desk.Operation) { op.Request.Path = "/api/issue?secret=t" },
			func(op *desk.Operation) { op.Request.Key = "l" },
			func(op *desk.Operation) { op.Request.Key = "" },
			func(op *desk.Operation) { op.Request.Key = "" },
		} {
			fresh, err := claim(change)
			require.NoError(t, err)
			require.True(t, fresh)
		}
		_, err = claim(func(op *desk.Operation) { op.Request.Fingerprint = "g" })
		require.True(t, ticket.Is(err, ticket.Reused))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM operations WHERE path LIKE '%secret%'`), "a query may carry credentials")
	})
}

// However the address is spelled, a request that comes to the same route is the same; what it says is told by the fingerprint alone.
func TestARequestIsKnownByItsRoute(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		claim := func(path, route, fingerprint string) (string, error) {
			op := b.operation("k")
			op.Request.Path, op.Request.Route, op.Request.Fingerprint, op.Request.BodyDigest = path, route, fingerprint, "body of "+path
			got, _, err := b.ledger.Claim(t.Context(), op, nothing)
			if err == nil {
				err = b.ledger.Finish(t.Context(), got, nil)
			}
			return got.ID, err
		}
		first, err := claim("/api/issue", "/api/issue", "f")
		require.NoError(t, err)
		for _, path := range []string{"/api/issue", "/api/issue/", "/api/issue?", "/api/issue?a=1"} {
			again, err := claim(path, "/api/issue", "f")
			require.NoError(t, err, path)
			require.Equal(t, first, again, path)
			_, err = claim(path, "/api/issue", "g")
			require.True(t, ticket.Is(err, ticket.Reused), path)
		}
		other, err := claim("/api/issue", "/api/issue/IM1", "f")
		require.NoError(t, err)
		require.Equal(t, first, other, "no version takes one address for two routes, so this one is the first")
		other, err = claim("/api/issue/IM1", "/api/issue/IM1", "f")
		require.NoError(t, err)
		require.NotEqual(t, first, other)
	})
}

// TestOneOfManySpellingsIsClaimed: asked at once, each by another spelling of the address, one claims and the others hear that it is at it.
func TestOneOfManySpellingsIsClaimed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const callers = 12
		var claimed, busy atomic.Int32
		var all sync.WaitGroup
		for i := range callers {
			op := b.operation("k")
			op.Request.Path, op.Request.Route = fmt.Sprintf("/api/issue?%s", strings.Repeat("&", i)), "/api/issue"
			all.Go(func() {
				switch _, fresh, err := b.ledger.Claim(context.Background(), op, nothing); {
				case err == nil && fresh:
					claimed.Add(1)
				case ticket.Is(err, ticket.Busy):
					busy.Add(1)
				default:
					t.Errorf("%v %v", fresh, err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, []int32{1, callers - 1}, []int32{claimed.Load(), busy.Load()})
	})
}

// TestTheVersionBeforeFindsWhatThisOneClaims and the other way round: it knows a request by its address as it was spelled, and by its body as it was sent.
func TestTheVersionBeforeFindsWhatThisOneClaims(t *testing.T) {
	const spelled = "/api/issue/?a=1"
	scope := func(key string) string {
		sum := sha256.Sum256([]byte(marshal([]string{"a", "demo", "POST", spelled, key})))
		return hex.EncodeToString(sum[:])
	}
	both(t, func(t *testing.T, b *bench) {
		raw := sqlx.NewDb(b.raw(), map[bool]string{true: "postgres", false: "sqlite"}[strings.HasPrefix(b.dsn, "postgres")])
		exec := func(query string, args ...any) int64 {
			result, err := raw.Exec(raw.Rebind(query), args...)
			require.NoError(t, err)
			n, err := result.RowsAffected()
			require.NoError(t, err)
			return n
		}
		op := func(key, path string) desk.Operation {
			op := b.operation(key)
			op.Request.Path, op.Request.Route, op.Request.Fingerprint, op.Request.BodyDigest = path, "/api/issue", "f", "digest of the body"
			return op
		}
		// as the version before inserts; what it does not know is left to the defaults
		insert := func(id, key string) int64 {
			return exec(`INSERT INTO operations (id, scope, fingerprint, kind, state, tenant, app, door, method, path, request_id, address, number, content, status, body, created_at, lease, operator, seal, why)
				SELECT ?, ?, 'digest of the body', kind, 'done', tenant, app, door, method, path, request_id, address, number, content, status, 'of the version before', created_at, lease, operator, seal, why
				FROM operations WHERE id = 'like this'
				ON CONFLICT (scope) WHERE scope IS NOT NULL DO NOTHING`, id, scope(key))
		}
		like := op("like this", "/")
		like.ID = "like this"
		_, _, err := b.ledger.Claim(t.Context(), like, nothing)
		require.NoError(t, err)

		// It has claimed; this version is asked again.
		require.EqualValues(t, 1, insert("old", "k"))
		again, fresh, err := b.ledger.Claim(t.Context(), op("k", spelled), nothing)
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, "of the version before", string(again.Answer.Body))
		other := op("k", spelled)
		other.Request.BodyDigest = "another"
		_, _, err = b.ledger.Claim(t.Context(), other, nothing)
		require.True(t, ticket.Is(err, ticket.Reused))

		// This version has claimed; it is asked again.
		claimed, fresh, err := b.ledger.Claim(t.Context(), op("l", spelled), nothing)
		require.NoError(t, err)
		require.True(t, fresh)
		var found []string
		require.NoError(t, raw.Select(&found, raw.Rebind(`SELECT fingerprint FROM operations WHERE scope = ? AND scope IS NOT NULL`), scope("l")))
		require.Equal(t, []string{"digest of the body"}, found)
		require.Zero(t, insert("late", "l"), "it sees that the key is taken")

		// Where it frees the key, it is free for this version too.
		exec(`UPDATE operations SET state = 'refused', scope = NULL WHERE id = ?`, claimed.ID)
		_, fresh, err = b.ledger.Claim(t.Context(), op("l", "/api/issue"), nothing)
		require.NoError(t, err)
		require.True(t, fresh)

		// Both have claimed a key, for two spellings; each spelling is given its own, also where the older one did not happen.
		require.EqualValues(t, 1, insert("voided", "m"))
		second, fresh, err := b.ledger.Claim(t.Context(), op("m", "/api/issue"), nothing)
		require.NoError(t, err)
		require.True(t, fresh)
		require.NoError(t, b.ledger.Finish(t.Context(), second, nil))
		got, _, err := b.ledger.Claim(t.Context(), op("m", spelled), nothing)
		require.NoError(t, err)
		require.Equal(t, "voided", got.ID)
		exec(`UPDATE operations SET state = 'void' WHERE id = 'voided'`)
		changed := op("m", spelled)
		changed.Request.BodyDigest = "another"
		got, fresh, err = b.ledger.Claim(t.Context(), changed, nothing)
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, second.ID, got.ID, "it has lost its key, and the route's is taken")
	})
}

func TestRecordingIsOneTransactionAndReplayed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		record := func(key string) (desk.Operation, bool, error) {
			op := b.operation(key)
			op.Kind, op.Answer = desk.KindTransact, desk.Answer{}
			return b.ledger.Transact(background(), op, func(ctx context.Context) (desk.Answer, error) {
				sub, err := b.Register(ctx, s.ticket, notice.Subscription{URL: "https://example.com/" + op.ID})
				return desk.Answer{Status: 200, Body: json.RawMessage(marshal(sub.ID))}, err
			})
		}
		var mu sync.Mutex
		answers, ran := map[string]int{}, 0
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 20 {
			wg.Go(func() {
				<-start
				mu.Lock()
				op := b.operation("k")
				mu.Unlock()
				op.Kind, op.Answer = desk.KindTransact, desk.Answer{}
				got, fresh, err := b.ledger.Transact(background(), op, func(ctx context.Context) (desk.Answer, error) {
					sub, err := b.Register(ctx, s.ticket, notice.Subscription{URL: "https://example.com/" + op.ID})
					return desk.Answer{Status: 201, Body: json.RawMessage(marshal(sub.ID))}, err
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				answers[string(got.Answer.Body)+fmt.Sprint(got.Answer.Status)]++
				if fresh {
					ran++
				}
			})
		}
		close(start)
		wg.Wait()
		require.Len(t, answers, 1)
		require.Equal(t, 1, ran)
		subs, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, subs, 1)

		_, fresh, err := record("")
		require.NoError(t, err)
		require.True(t, fresh)
		_, fresh, err = record("")
		require.NoError(t, err)
		require.True(t, fresh, "without a key every request is new")

		failing := b.operation("failing")
		_, _, err = b.ledger.Transact(t.Context(), failing, func(ctx context.Context) (desk.Answer, error) {
			require.NoError(t, b.Unsubscribe(ctx, ownerOf(s.ticket), subs[0].ID))
			return desk.Answer{}, ticket.Refuse(ticket.NotFound, "no")
		})
		require.True(t, ticket.Is(err, ticket.NotFound))
		_, err = b.Registration(t.Context(), ownerOf(s.ticket), subs[0].ID)
		require.NoError(t, err, "the effect went with the refusal")
		_, fresh, err = record("failing")
		require.NoError(t, err)
		require.True(t, fresh, "and so did the key")
	})
}

func TestPruningLeavesWhatIsRunningOrYoung(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		claim := func(key string) desk.Operation {
			op, _, err := b.ledger.Claim(t.Context(), b.operation(key), nothing)
			require.NoError(t, err)
			return op
		}
		var old []desk.Operation
		for i := range 4 {
			old = append(old, claim(fmt.Sprint(i)))
			if i > 0 {
				require.NoError(t, b.ledger.Finish(t.Context(), old[i], nil))
			}
			b.clock.pass(time.Minute)
		}
		b.clock.pass(24 * time.Hour)
		young := claim("young")
		require.NoError(t, b.ledger.Finish(t.Context(), young, nil))
		before := b.clock.Now().Add(-24 * time.Hour)
		n, err := b.PruneOperations(t.Context(), before, 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = b.PruneOperations(t.Context(), before, 100)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM operations WHERE content <> ''`))
		require.Equal(t, 3, b.count(`SELECT COUNT(*) FROM operations WHERE scope IS NULL AND fingerprint = '' AND content = '' AND body = ''`))
		n, err = b.PruneAudit(t.Context(), before, 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = b.PruneAudit(t.Context(), b.clock.Now(), 100)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "what is young has its answer still")
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM operations`))
		_, fresh, err := b.ledger.Claim(t.Context(), b.operation("young"), nothing)
		require.NoError(t, err)
		require.False(t, fresh)
		expired, err := b.ledger.Expired(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, expired, 1)
		require.Equal(t, old[0].ID, expired[0].ID)
	})
}
