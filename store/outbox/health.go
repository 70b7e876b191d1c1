package outbox

import (
	"context"
	"maps"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
)

// recordHealth stores, for the address of each outcome, since when every try at it has failed (failing_since), and drops those that are given up: did says
// which. A try that was put off or cannot be sent says nothing of its address, nor does what is no try. All subscriptions are locked in one pass, by id, as the lock order asks:
// also those whose lanes begin retrying and those that follow the alerts, whose effective state it gives, so that none is paused or dropped meanwhile.
func (o *Outbox) recordHealth(ctx context.Context, q *db.Tx, outcomes []*outcome) error {
	byID, followers, retrying := map[string][]*outcome{}, map[string][]*follower{}, map[string]bool{}
	for _, r := range outcomes {
		if r.Then == notice.Retrying {
			retrying[r.Work.Subscription.ID] = true
		}
		if !r.PutOff && !r.Attempt.Class.Ours() && !r.Attempt.StartedAt.IsZero() {
			byID[r.Work.Subscription.ID] = append(byID[r.Work.Subscription.ID], r)
		}
		for _, a := range r.alerts {
			for i := range a.followers {
				followers[a.followers[i].ID] = append(followers[a.followers[i].ID], &a.followers[i])
			}
		}
	}
	if err := o.leaveHealthy(ctx, q, byID); err != nil {
		return err
	}
	ids := slices.AppendSeq(slices.AppendSeq(slices.Collect(maps.Keys(byID)), maps.Keys(followers)), maps.Keys(retrying))
	for _, id := range db.Distinct(ids) {
		for _, r := range byID[id] {
			if err := o.recordTryAtAddress(ctx, q, id, r); err != nil {
				return db.Wrap("record the health of an address", err)
			}
		}
		if len(followers[id]) == 0 && !retrying[id] {
			continue
		}
		var state string // empty: it does not follow
		if _, err := q.FindSubscription(ctx, &state, db.Shared, `CASE WHEN `+db.Told+` THEN `+db.EffectiveState+` ELSE '' END`, `id = ?`, id); err != nil {
			return err
		}
		for _, f := range followers[id] {
			f.State = state
		}
	}
	return nil
}

// leaveHealthy takes the addresses out at which every try succeeded and none had failed before: there is nothing to store. That is nearly all of them, and
// they are not locked. A failure that is stored at the same moment may have come after the success as well as before it.
func (o *Outbox) leaveHealthy(ctx context.Context, q *db.Tx, byID map[string][]*outcome) error {
	var ids []string
	for id, outcomes := range byID {
		if !slices.ContainsFunc(outcomes, func(r *outcome) bool { return !r.Attempt.Succeeded || r.Drop != "" }) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var failing []string
	if err := q.AllIn(ctx, &failing, `SELECT id FROM subscriptions WHERE id IN (?) AND failing_since IS NOT NULL`, ids); err != nil {
		return db.Wrap("look for addresses that fail", err)
	}
	for _, id := range ids {
		if !slices.Contains(failing, id) {
			delete(byID, id)
		}
	}
	return nil
}

// recordTryAtAddress stores what one try says about its address, whose subscription is id.
func (o *Outbox) recordTryAtAddress(ctx context.Context, q *db.Tx, id string, r *outcome) (err error) {
	if r.Attempt.Succeeded {
		_, err = q.Exec(ctx, `UPDATE subscriptions SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL`, id)
	} else {
		_, err = q.Exec(ctx, `UPDATE subscriptions SET failing_since = ? WHERE id = ? AND failing_since IS NULL`, db.At(r.Attempt.StartedAt), id)
	}
	if err != nil || r.Drop == "" {
		return err
	}
	n, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'dropped', reason = ?, ended_at = ? WHERE id = ? AND state = 'active'`,
		db.CleanText(r.Drop), db.At(r.Attempt.FinishedAt), id)
	r.did[notice.AddressDropped] = n > 0
	return err
}
