package tickets

import (
	"context"
	"math"
	"reflect"
	"slices"

	"signalbox/store/db"
	"signalbox/ticket"
)

const (
	firstLook = 512 // tickets that are looked at in one way before the other is tried
	lookMore  = 4   // how many times as many are looked at the next time
	lookChunk = 512 // tickets that are looked up at once
)

// search looks for tickets that have the words of a filter and all else that it asks for. There are two ways: those with the words, each held against the rest, and those
// with the rest, each held against the words. Which is the shorter one nobody knows before, so both are gone in turns, each time further, until one has come to
// its end or has filled the page. So it costs little more than twice the shorter one.
type search struct {
	*listQuery
	q        *db.Tx
	columns  string
	finder   *finder
	filtered bool // more is asked for than words
	need     int  // rows

	byWords  []listRow
	ids      []int64 // of those with the words, where they are looked up in the end: in an order of time all of them, and where nothing else is asked for as many as are needed
	byFilter []int64 // with the words
	end      string  // where the reading by the filter stands, as a cursor
}

// findTickets gives the first rows of a list of tickets that have words; l is its query but for these.
func findTickets(ctx context.Context, q *db.Tx, tenant string, f ticket.Filter, l *listQuery, columns string, need int) (rows []listRow, err error) {
	terms := searchFor(f.Terms)
	if terms.none() {
		return nil, nil
	}
	s := &search{listQuery: l, q: q, columns: columns, need: need, end: f.Cursor}
	if s.finder, err = newFinder(ctx, q, tenant, terms); err != nil {
		return nil, err
	}
	var earlier []listRow
	if s.finder.earlier {
		if earlier, err = findEarlier(ctx, q, tenant, f, terms, columns, need); err != nil {
			return nil, err
		}
	}
	below := int64(math.MaxInt64)
	if f.Cursor != "" && !l.order.sorted() {
		below = l.behind
	}
	if err := s.finder.prepare(ctx, terms, below); err != nil {
		return nil, err
	}
	rest := f
	rest.Terms, rest.Limit, rest.Cursor = "", 0, ""
	s.filtered = !reflect.ValueOf(rest).IsZero()
	rows, err = s.rows(ctx, tenant, rest)
	return s.merge(rows, earlier), err
}

// rows goes both ways.
func (s *search) rows(ctx context.Context, tenant string, rest ticket.Filter) ([]listRow, error) {
	for look := firstLook; ; look *= lookMore {
		if rows, over, err := s.goByWords(ctx, look); err != nil || over {
			return rows, err
		}
		if !s.filtered {
			continue
		}
		if rows, over, err := s.goByFilter(ctx, tenant, rest, look); err != nil || over {
			return rows, err
		}
	}
}

// goByWords looks at so many more tickets that have the words; over: these are the rows.
func (s *search) goByWords(ctx context.Context, look int) (rows []listRow, over bool, err error) {
	for seen := 0; seen < look && !over; {
		var ids []int64
		if ids, over, err = s.finder.more(ctx); err != nil {
			return nil, false, err
		}
		seen += len(ids)
		if s.order.sorted() || !s.filtered { // looked up at once, in the end
			if s.ids = append(s.ids, ids...); !s.filtered && len(s.ids) >= s.need {
				s.ids, over = s.ids[:s.need], true
			}
			continue
		}
		for some := range slices.Chunk(ids, lookChunk) {
			rows, err := s.lookUp(ctx, some, s.need-len(s.byWords))
			if err != nil {
				return nil, false, err
			}
			if s.byWords = append(s.byWords, rows...); len(s.byWords) == s.need {
				return s.byWords, true, nil
			}
		}
	}
	if over && (s.order.sorted() || !s.filtered) {
		s.byWords, err = s.lookUp(ctx, s.ids, s.need)
	}
	return s.byWords, over, err
}

// goByFilter looks at so many more tickets that the rest of the filter finds.
func (s *search) goByFilter(ctx context.Context, tenant string, rest ticket.Filter, look int) (rows []listRow, over bool, err error) {
	for seen := 0; seen < look && !over; {
		rest.Cursor = s.end
		l, err := listQueryOf(tenant, rest)
		if err != nil {
			return nil, false, err
		}
		page, err := read(db.Once(ctx), s.q, l.queries(bareColumns, ""), lookChunk)
		if err != nil {
			return nil, false, err
		}
		ids := make([]int64, len(page))
		for i, r := range page {
			ids[i] = r.ID
		}
		having, err := s.finder.having(ctx, ids)
		if err != nil {
			return nil, false, err
		}
		for _, id := range ids {
			if having[id] {
				s.byFilter = append(s.byFilter, id)
			}
		}
		if over = len(page) < lookChunk || len(s.byFilter) >= s.need; !over {
			s.end = s.order.cursor(page[len(page)-1]).String()
		}
		seen += len(page)
	}
	if !over {
		return nil, false, nil
	}
	rows, err = s.lookUp(ctx, s.byFilter[:min(len(s.byFilter), s.need)], s.need)
	return rows, true, err
}

// lookUp gives those of some tickets that the rest of the filter finds, in the list's order.
func (s *search) lookUp(ctx context.Context, ids []int64, limit int) (rows []listRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if s.filtered { // the text is another for each filter
		ctx = db.Once(ctx)
	}
	return read(ctx, s.q, s.queries(s.columns, "t.id IN (?)", ids), limit)
}

// merge gives the first rows of two lists, in the list's order. A ticket may be in both.
func (s *search) merge(a, b []listRow) []listRow {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, s.order.compare)
	all = slices.CompactFunc(all, func(a, b listRow) bool { return a.ID == b.ID })
	return all[:min(len(all), s.need)]
}

// findEarlier looks among the tickets that a version without postings wrote, and that nobody has posted yet, where that version looks.
func findEarlier(ctx context.Context, q *db.Tx, tenant string, f ticket.Filter, s searchTerms, columns string, need int) (rows []listRow, err error) {
	l, err := listQueryOf(tenant, f)
	if err != nil {
		return nil, err
	}
	l.And("NOT t.posted")
	for i, term := range s.terms {
		has := `EXISTS (SELECT 1 FROM words w WHERE w.tenant = ? AND w.term = ? AND w.ticket_id = t.id)`
		if i >= maxShared { // not for the planner to weigh
			has = `(SELECT COUNT(*) FROM words w WHERE w.tenant = ? AND w.term = ? AND w.ticket_id = t.id) > 0`
		}
		l.And(has, tenant, []byte(term))
	}
	for _, prefix := range s.prefixes {
		l.And(`t.id IN (SELECT w.ticket_id FROM words w WHERE w.tenant = ? AND w.term >= ? AND w.term < ?)`, tenant, []byte(prefix), prefixEnd(prefix))
	}
	rows, err = read(db.Once(ctx), q, l.queries(columns, ""), need)
	return rows, db.Wrap("look for words of earlier versions", err)
}
