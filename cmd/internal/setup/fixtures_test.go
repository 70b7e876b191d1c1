package setup

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// preparations bring an exhibit to where a call can be done; by method and path, or for the itsm family by the name of the operation.
var preparations = map[string]func(p product, x *exhibit, secret string){
	"POST /api/issue/:id/migrate": func(p product, x *exhibit, secret string) {
		next := strings.Replace(fmt.Sprintf(northernService, x.service), "NORTHERN description", "NORTHERN next", 1)
		p.must(p.call("POST", "/api/service", secret, next))
	},
	"POST /api/subscription/:id/resume": func(p product, x *exhibit, secret string) {
		p.must(p.call("POST", "/api/subscription/"+x.subscription+"/pause", secret, nil))
	},
	"DELETE /api/issue/:id/follower/:person": func(p product, x *exhibit, secret string) {
		p.must(p.call("PUT", "/api/issue/"+x.number+"/follower/"+x.person, secret, nil))
	},
	"GET /api/issue/:id/notification/:nid/redeliver/:rid": func(p product, x *exhibit, secret string) {
		x.redelivery = p.redelivery("/api/issue/"+x.number+"/notification/"+x.address, secret)
	},
	"GET /api/subscription/:id/redeliver/:rid": func(p product, x *exhibit, secret string) {
		x.redelivery = p.redelivery("/api/subscription/"+x.subscription, secret)
	},
	"POST /api/issue/:id/notification/:nid/deliveries/:did/retry":  func(p product, x *exhibit, _ string) { x.delivery = p.waiting(x.address) },
	"POST /api/subscription/:id/deliveries/:did/retry":             func(p product, x *exhibit, _ string) { x.owed = p.waiting(x.subscription) },
	"POST /api/issue/:id/notification/:nid/deliveries/:did/cancel": func(p product, x *exhibit, _ string) { x.delivery = p.waiting(x.address) },
	"POST /api/subscription/:id/deliveries/:did/cancel":            func(p product, x *exhibit, _ string) { x.owed = p.waiting(x.subscription) },
	"comment_ticket":          rated,
	"comment":                 rated,
	"get_approver":            voted,
	"get_approve_node_result": voted,
	"update_service": func(p product, x *exhibit, secret string) {
		a := p.must(p.call("POST", "/openapi/service/import_service/", secret, anImport("x")))
		x.imported = regexp.MustCompile(`"id":([0-9]+)`).FindStringSubmatch(a.body)[1]
	},
	"ticket_approval_result": func(p product, x *exhibit, secret string) {
		x.request = p.terminated(secret)
		_, err := p.raw.Exec(`UPDATE deliveries SET state = 'failed', ended_at = created_at, listed = TRUE`)
		require.NoError(p, err)
	},
	"token/verify": func(p product, x *exhibit, secret string) {
		sn := p.terminated(secret)
		x.token = regexp.MustCompile(`"token": ?"([^"]+)"`).FindStringSubmatch(p.pendingBody(sn))[1]
	},
}

// pendingBody gives the first body that is still to be sent and tells a text. In the database those that tell tokens are encrypted.
func (p product) pendingBody(text string) string {
	outbox := p.container.Store.Outbox
	parts, err := outbox.Partitions(p.Context())
	require.NoError(p, err)
	for _, part := range parts {
		works, err := outbox.Pending(p.Context(), part, nil, 1000)
		require.NoError(p, err)
		for _, w := range works {
			if body := string(w.Delivery.Body); strings.Contains(body, text) {
				return body
			}
		}
	}
	p.Fatal("nothing is owed that tells ", text)
	return ""
}

// terminated gives the number of a ticket that is over, and whose callback is owed.
func (p product) terminated(secret string) string {
	a := p.must(p.call("POST", "/openapi/ticket/create_ticket/", secret, object{"creator": marker, "fast_approval": true, "fields": []object{
		{"key": "title", "value": marker}, {"key": "APPROVER", "value": "ann"}, {"key": "APPROVAL_CONTENT", "value": marker},
	}, "meta": object{"callback_url": "https://hooks.example.com/" + marker}}))
	sn := regexp.MustCompile(`"sn":"([^"]+)"`).FindStringSubmatch(a.body)[1]
	p.must(p.call("POST", "/openapi/ticket/operate_ticket/", secret, object{"sn": sn, "operator": "admin", "action_type": "TERMINATE", "action_message": "x"}))
	return sn
}

// waiting has the oldest delivery of a subscription wait for its second try, and gives its ID.
func (p product) waiting(subscription string) (id string) {
	require.NoError(p, p.raw.QueryRow(`UPDATE deliveries SET state = 'parked', tries = 1, first_try = created_at, next_try = created_at, ended_at = NULL
		WHERE id = (SELECT id FROM deliveries WHERE subscription_id = '`+subscription+`' ORDER BY at, seq LIMIT 1) RETURNING id`).Scan(&id))
	return id
}

// redelivery asks for all that has failed to be sent again.
func (p product) redelivery(of, secret string) string {
	a := p.must(p.call("POST", of+"/redeliver", secret, object{"state": "failed"}))
	return regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(a.body)[1]
}

// must passes an answer on, and fails the test unless it was given.
func (p product) must(a answer) answer {
	p.Helper()
	require.False(p, a.refused(), "%d %s", a.status, a.body)
	return a
}

func rated(p product, x *exhibit, secret string) {
	p.must(p.call("PUT", "/api/issue/"+x.number+"/status", secret, object{"status": "CLOSED", "operator": "ann"}))
}

func voted(p product, x *exhibit, secret string) {
	p.must(p.call("POST", "/api/issue/"+x.request+"/handle", secret, object{"action": "approve", "operator": "ann", "parameter": object{"reason": marker}}))
}

// itsmBodies are what the operations of the itsm family need, by name.
var itsmBodies = map[string]func(x exhibit) any{
	"create_ticket": func(x exhibit) any {
		return object{"creator": "ann", "fast_approval": true, "fields": []object{
			{"key": "title", "value": "x"}, {"key": "APPROVER", "value": "ann"}, {"key": "APPROVAL_CONTENT", "value": "y"}}}
	},
	"get_ticket_status":      bySN,
	"get_ticket_info":        bySN,
	"get_ticket_logs":        bySN,
	"ticket_approval_result": func(x exhibit) any { return object{"sn": []string{x.number, x.request}} },
	"token/verify":           func(x exhibit) any { return object{"token": x.token} },
	"get_tickets":            func(x exhibit) any { return object{"sns": []string{x.number}} },
	"get_tickets_by_user":    func(exhibit) any { return object{"user": marker, "view_type": "my_created"} },
	"operate_ticket": func(x exhibit) any {
		return object{"sn": x.number, "operator": "admin", "action_type": "SUSPEND", "action_message": "x"}
	},
	"operate_node": func(x exhibit) any {
		return object{"sn": x.request, "state_id": x.node, "operator": "ann", "action_type": "DELIVER", "action_message": "x", "processors": "bob"}
	},
	"approve": func(x exhibit) any {
		return object{"sn": x.request, "state_id": x.node, "approver": "ann", "action": "true"}
	},
	"get_approver":            func(x exhibit) any { return object{"sn": x.request, "state_id": x.node} },
	"get_approve_node_result": func(x exhibit) any { return object{"sn": x.request, "state_id": x.node} },
	"comment_ticket":          rate,
	"comment":                 rate,
	"get_service_detail":      func(x exhibit) any { return object{"service_id": x.serviceID} },
	"get_service_roles":       func(x exhibit) any { return object{"service_id": x.serviceID, "ticket_creator": "ann"} },
	"create_service_catalog":  func(exhibit) any { return object{"parent__id": 1, "name": "x", "desc": "y"} },
	"service_catalog":         func(exhibit) any { return object{"parent__id": 1, "name": "x", "desc": "y"} },
	"import_service":          func(exhibit) any { return anImport("x") },
	"update_service": func(x exhibit) any {
		body := anImport("x")
		body["id"] = cmp.Or(x.imported, "1")
		return body
	},
	"get_workflow_detail": func(x exhibit) any { return object{"workflow_id": x.serviceID*100_000 + 1} },
}

// anImport is a service with a flow as another system exports it.
func anImport(name string) object {
	return object{"key": "request", "name": name, "catalog_id": 1, "desc": "y", "is_valid": true, "workflow": object{
		"states": object{
			"1": object{"id": 1, "type": "START", "name": "begin"}, "2": object{"id": 2, "type": "NORMAL", "name": "open", "fields": []int{1}},
			"3": object{"id": 3, "type": "APPROVAL", "name": "Lead", "processors_type": "PERSON", "processors": "ann"}, "4": object{"id": 4, "type": "END", "name": "end"}},
		"transitions": object{"1": object{"id": 1, "from_state": 1, "to_state": 2}, "2": object{"id": 2, "from_state": 2, "to_state": 3}, "3": object{"id": 3, "from_state": 3, "to_state": 4}},
		"fields":      object{"1": object{"id": 1, "key": "title", "type": "STRING", "name": "title", "validate_type": "REQUIRE"}},
	}}
}

func bySN(x exhibit) any { return object{"sn": x.number} }

func rate(x exhibit) any {
	return object{"sn": x.number, "stars": 5, "operator": "ann", "comments": "x"}
}

// itsmOperation gives the name of the operation that a path of the itsm family stands for; empty: it is of another family.
func itsmOperation(path string) string {
	longest := ""
	for name := range itsmBodies {
		if (strings.Contains(path, "/itsm/") || strings.HasPrefix(path, "/openapi/")) && strings.HasSuffix(path, "/"+name+"/") && len(name) > len(longest) {
			longest = name
		}
	}
	return longest
}

func histories(x exhibit) any {
	return object{"string_filters": []object{{"operator": "=", "field": "ticket_id", "values": []string{x.number}}}}
}
