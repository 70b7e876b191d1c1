package tickets

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"signalbox/store/db"
)

const (
	maxVariants = 64  // terms that a beginning stands for, each of which is looked for
	maxShared   = 4   // words that are looked for at once; the others are looked for where these are
	firstBlocks = 2   // blocks that are read outright: what is common fills a page from them
	maxBlocks   = 64  // most blocks read at once
	sharedAhead = 256 // most blocks listed at once
)

// wanted is one of the things that a ticket must have: any of some terms or, of a beginning that too many terms have, any of those.
type wanted struct {
	terms  []string
	prefix string // set where it is such a beginning
}

// finder finds the tickets of a tenant that have all words that are asked for, newest first. It reads blocks of postings as it goes, so that what it costs is told by
// the page that is filled and by how many blocks have some of the words and not all, and not by how many tickets have them.
type finder struct {
	q       *db.Tx
	tenant  string
	wanted  []wanted
	waiting map[int64]*members // tickets that are not posted yet and have all words, by block
	first   int64              // the lowest block of the tenant
	last    int64              // the highest
	earlier bool               // there are tickets that a version without postings wrote

	nowhere bool  // one of the words is in no posting
	below   int64 // what is looked for has lower ids

	next  int64   // the highest block that was not looked at
	ahead []int64 // blocks below that, highest first, that are to be read next
	size  int     // how many are read at once
}

// newFinder begins to look for words, with the tickets that wait: what is posted meanwhile is seen twice then, and not passed over.
func newFinder(ctx context.Context, q *db.Tx, tenant string, s searchTerms) (*finder, error) {
	f := &finder{q: q, tenant: tenant, waiting: map[int64]*members{}, first: math.MaxInt64, last: -1, size: firstBlocks}
	return f, f.readWaiting(ctx, s)
}

// prepare tells what is to be looked for in the postings, below an id.
func (f *finder) prepare(ctx context.Context, s searchTerms, below int64) error {
	for _, term := range s.terms {
		f.wanted = append(f.wanted, wanted{terms: []string{term}})
	}
	// Longer words are rarer.
	slices.SortStableFunc(f.wanted, func(a, b wanted) int { return len(b.terms[0]) - len(a.terms[0]) })
	for _, prefix := range s.prefixes {
		terms, err := f.variants(ctx, prefix)
		if err != nil {
			return err
		}
		if len(terms) > maxVariants {
			f.wanted = append(f.wanted, wanted{prefix: prefix})
			continue
		}
		f.nowhere = f.nowhere || len(terms) == 0
		f.wanted = append(f.wanted, wanted{terms: terms})
	}
	f.below, f.next = below, min(f.last, blockOf(below-1))
	for range firstBlocks {
		if f.next >= f.first {
			f.ahead = append(f.ahead, f.next)
			f.next--
		}
	}
	return nil
}

// readWaiting reads what is not posted, and between which blocks the postings lie.
func (f *finder) readWaiting(ctx context.Context, s searchTerms) error {
	query := `SELECT 'first' AS what, MIN(block) AS n FROM postings WHERE tenant = ?
		UNION ALL SELECT 'last', MAX(block) FROM postings WHERE tenant = ?
		UNION ALL SELECT 'earlier', (SELECT 1 FROM tickets WHERE NOT posted AND tenant = ? LIMIT 1)
		UNION ALL SELECT 'waiting', ticket_id FROM unposted WHERE tenant = ?`
	args := []any{f.tenant, f.tenant, f.tenant, f.tenant}
	for _, term := range s.terms {
		query, args = query+` AND terms LIKE ?`, append(args, "% "+term+" %")
	}
	for _, prefix := range s.prefixes {
		query, args = query+` AND terms LIKE ?`, append(args, "% "+prefix+"%")
	}
	if len(args) > 8 {
		ctx = db.Once(ctx)
	}
	var rows []struct {
		What string `db:"what"`
		N    *int64 `db:"n"`
	}
	if err := f.q.All(ctx, &rows, query, args...); err != nil {
		return db.Wrap("look for words that wait", err)
	}
	for _, r := range rows {
		switch {
		case r.N == nil:
		case r.What == "earlier":
			f.earlier = true
		case r.What == "waiting":
			block := blockOf(*r.N)
			if f.waiting[block] == nil {
				f.waiting[block] = &members{}
			}
			f.waiting[block].add(*r.N)
			f.first, f.last = min(f.first, block), max(f.last, block)
		default:
			f.first, f.last = min(f.first, *r.N), max(f.last, *r.N)
		}
	}
	return nil
}

// variants gives the terms that begin so, at most one more than maxVariants. Each is found behind the one before it, however many tickets have that.
func (f *finder) variants(ctx context.Context, prefix string) (terms []string, err error) {
	var list [][]byte
	err = f.q.All(ctx, &list, `WITH RECURSIVE variant (term) AS (
			SELECT (SELECT p.term FROM postings p WHERE p.tenant = ? AND p.term >= ? AND p.term < ? ORDER BY p.term LIMIT 1)
			UNION ALL SELECT (SELECT p.term FROM postings p WHERE p.tenant = ? AND p.term > v.term AND p.term < ? ORDER BY p.term LIMIT 1) FROM variant v WHERE v.term IS NOT NULL
		) SELECT term FROM variant WHERE term IS NOT NULL LIMIT ?`,
		f.tenant, []byte(prefix), prefixEnd(prefix), f.tenant, prefixEnd(prefix), maxVariants+1)
	for _, term := range list {
		terms = append(terms, string(term))
	}
	return terms, db.Wrap("look for words that begin so", err)
}

// more gives the next tickets, the newest first, at most as many as some blocks have; over: there are no others.
func (f *finder) more(ctx context.Context) (ids []int64, over bool, err error) {
	for len(ids) == 0 {
		if len(f.ahead) == 0 {
			if f.next < f.first {
				return nil, true, nil
			}
			if err := f.look(ctx); err != nil {
				return nil, false, err
			}
			continue
		}
		some := f.ahead[:min(len(f.ahead), f.size)]
		f.ahead, f.size = f.ahead[len(some):], min(2*f.size, maxBlocks)
		found, err := f.read(ctx, some)
		if err != nil {
			return nil, false, err
		}
		for _, block := range some {
			ids = append(ids, found[block].ids(block, f.below)...)
		}
	}
	return ids, len(f.ahead) == 0 && f.next < f.first, nil
}

// look lists the next blocks that have some of the words, and those in which something waits.
func (f *finder) look(ctx context.Context) error {
	low := f.first
	switch shared, args := f.shared(); {
	case f.nowhere:
	case len(shared) == 0: // only beginnings that many terms have, so that most blocks will have one
		low = max(f.first, f.next-sharedAhead+1)
		for block := f.next; block >= low; block-- {
			f.ahead = append(f.ahead, block)
		}
	default:
		query := `SELECT DISTINCT block FROM (` + strings.Join(shared, " INTERSECT ") + `) shared ORDER BY block DESC LIMIT ?`
		if err := f.q.AllIn(ctx, &f.ahead, query, append(args, sharedAhead)...); err != nil {
			return db.Wrap("look for blocks with the words", err)
		}
		if len(f.ahead) == sharedAhead {
			low = f.ahead[sharedAhead-1]
		}
	}
	for block := range f.waiting {
		if block >= low && block <= f.next {
			f.ahead = append(f.ahead, block)
		}
	}
	f.size = max(f.size, maxBlocks/2) // what is not common is in many blocks, a few tickets in each
	slices.SortFunc(f.ahead, func(a, b int64) int { return cmp.Compare(b, a) })
	f.ahead = slices.Compact(f.ahead)
	f.next = low - 1
	return nil
}

// shared gives queries of the blocks that have each of the first words, and their arguments.
func (f *finder) shared() (queries []string, args []any) {
	for _, w := range f.wanted {
		if w.prefix == "" && len(queries) < maxShared {
			queries = append(queries, `SELECT block FROM postings WHERE tenant = ? AND term IN (?) AND block BETWEEN ? AND ?`)
			args = append(args, f.tenant, bytesOf(w.terms), f.first, f.next)
		}
	}
	return queries, args
}

func bytesOf(terms []string) [][]byte {
	list := make([][]byte, len(terms))
	for i, term := range terms {
		list[i] = []byte(term)
	}
	return list
}

// read gives the tickets of some blocks that have all words.
func (f *finder) read(ctx context.Context, blocks []int64) (map[int64]*members, error) {
	found := map[int64]*members{}
	for _, block := range blocks {
		found[block] = &members{}
	}
	err := f.readPosted(ctx, blocks, found)
	for _, block := range blocks {
		if waiting := f.waiting[block]; waiting != nil {
			found[block].unite(waiting)
		}
	}
	return found, err
}

// readPosted adds those that are posted: some words at a time, each time in the blocks that have all words before.
func (f *finder) readPosted(ctx context.Context, blocks []int64, found map[int64]*members) error {
	if f.nowhere {
		return nil
	}
	for _, block := range blocks {
		found[block].fill()
	}
	for _, some := range f.portions() {
		have, err := f.postings(ctx, some, blocks)
		if err != nil {
			return err
		}
		for _, w := range some {
			each := map[int64]*members{}
			for _, p := range have {
				if !w.is(string(p.Term)) {
					continue
				}
				if each[p.Block] == nil {
					each[p.Block] = &members{}
				}
				each[p.Block].read(p.Members)
			}
			for _, block := range blocks {
				if with := each[block]; with != nil {
					found[block].intersect(with)
				} else {
					*found[block] = members{}
				}
			}
		}
		blocks = slices.DeleteFunc(slices.Clone(blocks), func(block int64) bool { return *found[block] == members{} })
		if len(blocks) == 0 {
			break
		}
	}
	return nil
}

// portions are what is looked for, in portions that are looked for at once: beginnings that many terms have each by itself, where all other words are.
func (f *finder) portions() (list [][]wanted) {
	var wide, narrow []wanted
	for _, w := range f.wanted {
		if w.prefix != "" {
			wide = append(wide, w)
		} else {
			narrow = append(narrow, w)
		}
	}
	return slices.AppendSeq(slices.Collect(slices.Chunk(narrow, maxShared)), slices.Chunk(wide, 1))
}

// is reports whether a term is one of those that are wanted.
func (w wanted) is(term string) bool {
	return w.prefix != "" && strings.HasPrefix(term, w.prefix) || slices.Contains(w.terms, term)
}

// postings reads what of a portion is in some blocks.
func (f *finder) postings(ctx context.Context, some []wanted, blocks []int64) (rows []postingRow, err error) {
	if prefix := some[0].prefix; prefix != "" {
		err = f.q.AllIn(ctx, &rows, `SELECT term, block, members FROM postings WHERE tenant = ? AND block IN (?) AND term >= ? AND term < ?`,
			f.tenant, blocks, []byte(prefix), prefixEnd(prefix))
		return rows, db.Wrap("read postings", err)
	}
	var terms []string
	for _, w := range some {
		terms = append(terms, w.terms...)
	}
	err = f.q.AllIn(ctx, &rows, `SELECT term, block, members FROM postings WHERE tenant = ? AND term IN (?) AND block IN (?)`, f.tenant, bytesOf(terms), blocks)
	return rows, db.Wrap("read postings", err)
}

type postingRow struct {
	Term    []byte `db:"term"`
	Block   int64  `db:"block"`
	Members string `db:"members"`
}

// having gives those of some tickets that have all words.
func (f *finder) having(ctx context.Context, ids []int64) (some map[int64]bool, err error) {
	var blocks []int64
	for _, id := range ids {
		blocks = append(blocks, blockOf(id))
	}
	found, err := f.read(ctx, db.Distinct(blocks))
	if err != nil {
		return nil, fmt.Errorf("look for words: %w", err)
	}
	some = map[int64]bool{}
	for _, id := range ids {
		some[id] = found[blockOf(id)].has(id)
	}
	return some, nil
}
