package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// calls are requests of every family that change something. Each makes what its n-th round needs through the first process.
func (w *twins) calls(t testing.TB) []func(n int) *identical {
	c := w.caller()
	type object = map[string]any
	fresh := func(n int) string { return fmt.Sprintf("burst %d %s", n, uuid.NewString()) }
	events := func(number string) func() int {
		return func() int {
			return w.count(t, `SELECT COUNT(*) FROM events JOIN tickets ON id = ticket_id WHERE number = $1`, number)
		}
	}
	counting := func(query string, args ...any) func() int {
		return func() int { return w.count(t, query, args...) }
	}
	// onTicket is a call that changes a ticket, which runs through prepare first.
	onTicket := func(name, method, path string, prepare func(number string), body func(number string) (body, other any)) func(int) *identical {
		return func(n int) *identical {
			number := c.open(t)
			if prepare != nil {
				prepare(number)
			}
			q := &identical{name: name, method: method, path: fmt.Sprintf(path, number), changes: events(number)}
			if prepare == nil {
				q.number = number // nothing but this call has updated it
			}
			q.body, q.other = body(number)
			return q
		}
	}
	fixed := func(body, other any) func(string) (any, any) { return func(string) (any, any) { return body, other } }
	close := func(number string) {
		c.must(t, "PUT", "/api/issue/"+number+"/status", object{"status": "CLOSED", "operator": "li"})
	}
	create := func(title string) object {
		return object{"creator": "wang", "fast_approval": true,
			"fields": []object{{"key": "title", "value": title}, {"key": "APPROVER", "value": "alice"}}}
	}
	request := func() string { return itsm{c, t}.create("http://127.0.0.1:1/") }

	return []func(int) *identical{
		func(n int) *identical {
			title := fresh(n)
			return &identical{name: "issue create", method: "POST", path: "/api/issue", body: object{"origin": title, "title": title},
				other: object{"origin": title, "title": "another"}, changes: counting(`SELECT COUNT(*) FROM tickets WHERE origin = $1`, title)}
		},
		onTicket("issue accept", "POST", "/api/issue/%s/handle", nil,
			fixed(object{"action": "accept", "operator": "li"}, object{"action": "accept", "operator": "wang"})),
		onTicket("incident accept", "POST", handlePath+"?%s", nil, func(number string) (any, any) {
			return json.RawMessage(incidentCall(t, "accept.json", number)), json.RawMessage(incidentCall(t, "commit.json", number))
		}),
		func(n int) *identical {
			title := fresh(n)
			return &identical{name: "itsm create, ESB", method: "POST", path: "/api/c/compapi/v2/itsm/create_ticket/", body: create(title),
				other: create(title + "2"), changes: counting(`SELECT COUNT(*) FROM tickets WHERE strpos(state, $1) > 0`, title)}
		},
		func(n int) *identical {
			sn := request()
			vote := func(action string) object {
				return object{"sn": sn, "state_id": 21, "approver": "alice", "action": action}
			}
			return &identical{name: "itsm approve, native", method: "POST", path: "/openapi/ticket/approve/", body: vote("true"),
				other: vote("false"), number: sn, changes: events(sn)}
		},
		func(n int) *identical {
			sn := request()
			operate := func(action string) object {
				return object{"sn": sn, "operator": "wang", "action_type": action, "action_message": "x"}
			}
			return &identical{name: "itsm withdraw, gateway", method: "POST", path: "/prod/v2/itsm/operate_ticket/", body: operate("WITHDRAW"),
				other: operate("SUSPEND"), number: sn, changes: events(sn)}
		},
		func(n int) *identical {
			topic := fresh(n)
			event := func(key string) object {
				return object{"event_source": "e2e", "event_topic": topic, "event_type": "a", "event_status": "b", "event_key": key, "changes": []string{"1"}}
			}
			id := result[struct{ ID string }](t, c.must(t, "POST", "/api/subscription", object{"url": "http://127.0.0.1:1/" + uuid.NewString(), "topic": topic})).ID
			return &identical{name: "publish", method: "POST", path: "/api/publish", body: event("1"), other: event("2"),
				changes: counting(`SELECT COUNT(*) FROM deliveries WHERE subscription_id = $1`, id)}
		},
		onTicket("exception callback", "POST", "/v1/exceptions/%s/callback", nil, func(number string) (any, any) {
			said := func(status string) object {
				return object{"externalIssueId": "J-1", "status": status, "assignee": "li", "updatedAt": "2026-01-02T03:04:05Z", "externalSystem": uuid.NewString()}
			}
			return said("ASSIGNED"), said("RESOLVED")
		}),
		onTicket("relations", "PUT", "/api/issue/%s/relations/manifest", nil, fixed(object{"content": []string{"1", "2"}}, object{"content": []string{"1"}})),
		func(n int) *identical {
			number := c.open(t)
			nid := c.register(t, number, "http://127.0.0.1:1/"+uuid.NewString())
			return &identical{name: "notification delete", method: "DELETE", path: "/api/issue/" + number + "/notification/" + nid,
				other: "another", changes: counting(`SELECT COUNT(*) FROM subscriptions WHERE id = $1 AND state <> 'active'`, nid)}
		},
		func(n int) *identical {
			number, url := c.open(t), "http://127.0.0.1:1/"+uuid.NewString()
			return &identical{name: "notification create", method: "POST", path: "/api/issue/" + number + "/notification", body: object{"url": url},
				other: object{"url": url + "2"}, changes: counting(`SELECT COUNT(*) FROM subscriptions WHERE url = $1`, url)}
		},
		func(n int) *identical {
			url := "http://127.0.0.1:1/" + uuid.NewString()
			return &identical{name: "subscription create", method: "POST", path: "/api/subscription", body: object{"url": url, "topic": fresh(n)},
				other: object{"url": url}, changes: counting(`SELECT COUNT(*) FROM subscriptions WHERE url = $1`, url)}
		},
		onTicket("said", "POST", "/api/issue/%s/conversation", nil,
			fixed(object{"author": "li", "content": "hello"}, object{"author": "li", "content": "goodbye"})),
		onTicket("closed", "PUT", "/api/issue/%s/status", nil,
			fixed(object{"status": "CLOSED", "operator": "li"}, object{"status": "CLOSED", "operator": "wang"})),
		// The next two begin a new generation of a ticket that has ended.
		onTicket("reopened", "PUT", "/api/issue/%s/status", close,
			fixed(object{"status": "OPEN", "operator": "li"}, object{"status": "OPEN", "operator": "wang"})),
		onTicket("said when over", "POST", "/api/issue/%s/conversation", close,
			fixed(object{"author": "li", "content": "hello"}, object{"author": "li", "content": "goodbye"})),
		func(n int) *identical {
			title := fresh(n)
			open := func(title string) object {
				return object{"incident_title": title, "incident_type": "inc_type_p_change_issues", "incident_level": "level_30", "is_service_interrupt": false,
					"incident_source": "incident_source_manual", "creator": "li", "incident_assignee": []string{"wang"}}
			}
			return &identical{name: "incident create", method: "POST", path: "/v1/external/incident/create", body: open(title), other: open("another"),
				changes: counting(`SELECT COUNT(*) FROM tickets WHERE strpos(state, $1) > 0`, title)}
		},
		func(n int) *identical {
			key := fmt.Sprintf("burst_%d", n)
			publish := func(name string) object {
				return object{"key": key, "name": name, "nodes": []object{{"id": "do", "name": "Do", "type": "task", "processors": object{"persons": []string{"li"}}, "next": "over"},
					{"id": "over", "name": "Over", "type": "end"}}}
			}
			return &identical{name: "service", method: "POST", path: "/api/service", body: publish("one"), other: publish("two"),
				changes: counting(`SELECT COUNT(*) FROM service_versions WHERE key = $1`, key)}
		},
	}
}
