package db

// Sending is the condition for subscriptions s whose deliveries are sent.
const Sending = `s.state = 'active' AND s.turning <> 'ending' AND s.sifting = ''`

// Hosted is the condition for subscriptions s whose host is that of their url. A version that knew no hosts may have changed the url alone.
const Hosted = `(substr(s.url, 1, length(s.host) + 9) = 'https://' || s.host || '/' OR substr(s.url, 1, length(s.host) + 8) = 'http://' || s.host || '/' OR s.url = s.host)`

// EffectiveState is the state of a subscription, as far as what is born is concerned: only an active one is sent it, and not before what is older.
const EffectiveState = `CASE WHEN turning = '' THEN state ELSE 'paused' END`

// Owed is the condition for subscriptions that what happens to their ticket is kept for. It is spelled like the index's own.
const Owed = `state IN ('active', 'dropped') AND successor = ''`

// Told is the condition for subscriptions that no ticket's row protects, and something is kept for: lasting ones, and ways of telling people.
const Told = `ticket_id <= 0 AND state IN ('active', 'paused', 'dropped')`

// Following is the condition for lasting subscriptions that events are kept for. It is spelled like the indexes' own.
const Following = `ticket_id = 0 AND state IN ('active', 'paused', 'dropped')`

// Undelivered is the condition that a ticket of a row $. still has a delivery to an address of its own that was given up or is held. Rows of stuck that say so are written as it happens, and
// not taken back as deliveries begin anew or are cancelled: whoever reads them looks, at each by itself.
const Undelivered = `(SELECT 1 FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id WHERE s.ticket_id = $.ticket_id AND d.ticket_id = s.ticket_id
	AND d.state IN ('held', 'failed') AND s.successor = '' LIMIT 1) IS NOT NULL`
