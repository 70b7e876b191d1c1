package store

// telling is the condition for subscriptions s whose deliveries are sent.
const telling = `s.state = 'active' AND s.turning <> 'ending'`

// toldState is the state of a subscription, as far as what is born is concerned: only an active one is sent it, and not before what is older.
const toldState = `CASE WHEN turning = '' THEN state ELSE 'paused' END`

// following is the condition for lasting subscriptions that events are kept for. It is spelled like the indexes' own.
const following = `ticket_id = 0 AND state IN ('active', 'paused', 'dropped')`
