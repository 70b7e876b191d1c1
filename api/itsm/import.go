package itsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

// imported is a service that is to be made of an exported flow, or made anew.
type imported struct {
	catalog int64
	name    string
	enabled bool
	def     flow.Definition
	left    []ticket.NotCarried
}

// importedService is what is answered. NotCarriedOver is ours.
type importedService struct {
	service
	NotCarriedOver []ticket.NotCarried `json:"not_carried_over"`
}

// exported reads a service with its flow (itsm.md 1.10), and translates it. What is wrong with it is among the faults of the call.
func (h *Handler) exported(c *call) (i imported, err error) {
	i.def.ServiceType = c.Choice("key", "request", "change", "event", "question")
	if i.def.ServiceType == "" && !slices.ContainsFunc(c.Faults, func(f *ticket.Error) bool { return f.Field == "key" }) {
		c.Faults.Add("key", "is required")
	}
	i.name, i.catalog, i.enabled = c.Name("name", 1, flow.MaxName), c.Needed("catalog_id", 1, api.MaxID), c.Flag("is_valid")
	desc := c.Text("desc", 0, flow.MaxDescription)
	c.project()
	var raw json.RawMessage
	var workflow member
	c.Object("workflow", &raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		c.Faults.Add("workflow", "is required")
	case flow.DecodeExact(raw, &workflow) != nil || workflow == nil:
		c.Faults.Add("workflow", "must be an object")
	case len(workflow) == 0:
		c.Faults.Add("workflow", "is required")
	}
	// What a service has there beside its flow, and has nothing of here.
	leave := func(name, usual, why string) {
		if value := c.Text(name, 0, flow.MaxText); value != "" && value != usual {
			i.left = append(i.left, ticket.NotCarried{At: name, Why: fmt.Sprintf("%q: %s", value, why)})
		}
	}
	leave("owner", "", "apps with the scope admin look after services")
	leave("owners", "", "apps with the scope admin look after services")
	leave("display_type", "OPEN", "every app of the tenant sees the service")
	leave("display_role", "", "every app of the tenant sees the service")
	leave("source", "custom", "where a service comes from means nothing")
	if c.Flag("can_ticket_agency") {
		i.left = append(i.left, ticket.NotCarried{At: "can_ticket_agency", Why: "an app names whoever opens a ticket"})
	}
	if len(c.Faults) > 0 {
		return i, nil
	}
	known, err := h.Services.KnownGroups(api.Context(c.Ctx), c.tenant, groupsIn(workflow))
	if err != nil {
		return i, err
	}
	def, left, faults := translate(workflow, known)
	if len(faults) > 0 {
		c.Faults = append(c.Faults, faults...)
		return i, nil
	}
	def.ServiceType, def.Name = i.def.ServiceType, i.name
	if desc != "" {
		def.Description = desc
	}
	i.def, i.left = def, append(i.left, left...)
	return i, nil
}

// checked gives a definition that can be published, but for its key, or says what is wrong with it.
func checked(def flow.Definition) (flow.Definition, error) {
	def.Key = "itsm"
	raw, err := json.Marshal(def)
	if err != nil {
		return def, fmt.Errorf("write a definition: %w", err)
	}
	parsed, wrong := flow.Parse(raw)
	var faults ticket.Faults
	for _, f := range wrong {
		faults.Add("workflow: "+f.Path, f.Message)
	}
	return parsed, faults.Err()
}

// importService makes a service of an exported flow. The same catalog and name are the same service: importing it again makes its next version, or none
// where nothing has changed.
func (h *Handler) importService(c *call) error {
	i, err := h.exported(c)
	if err != nil {
		return err
	}
	return h.publish(c, i, func(ctx context.Context, s shelves) (string, error) {
		for _, had := range s.imported {
			if had.Catalog == i.catalog && had.Name == i.name {
				return had.Key, nil
			}
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", i.catalog, i.name))
		key := "itsm-" + hex.EncodeToString(sum[:6])
		for n := 2; ; n++ { // where the one that had this name has another now
			if _, taken := s.imported[key]; !taken {
				return key, nil
			}
			key = fmt.Sprintf("itsm-%s-%d", hex.EncodeToString(sum[:6]), n)
		}
	})
}

// updateService makes an exported flow the next version of a service that was imported.
func (h *Handler) updateService(c *call) error {
	id := c.ID("id")
	i, err := h.exported(c)
	if err != nil {
		return err
	}
	return h.publish(c, i, func(ctx context.Context, s shelves) (string, error) {
		record, err := h.Services.ServiceByNumber(ctx, c.tenant, id)
		if err != nil {
			return "", because(err, codeNoObject, saysNoService)
		}
		if _, ours := s.imported[record.Key]; !ours {
			return "", fail(ticket.Conflict, codePartial, saysPartial+"id: the service was not imported")
		}
		return record.Key, nil
	})
}

// publish publishes what was read as the service that key names.
func (h *Handler) publish(c *call, i imported, key func(context.Context, shelves) (string, error)) error {
	if err := c.Err(); err != nil {
		return err
	}
	def, err := checked(i.def) // before there is a transaction: it may take a while
	if err != nil {
		return err
	}
	return api.Transact(c.Ctx, h.Desk, false, func(ctx context.Context) (any, error) {
		s, err := h.shelves(ctx, c.tenant)
		if err != nil {
			return nil, err
		}
		if _, known := s.depth(i.catalog, rootCatalog); !known {
			return nil, ticket.RefuseField(ticket.Conflict, "catalog_id", "there is no such catalog")
		}
		if def.Key, err = key(ctx, s); err != nil {
			return nil, err
		}
		if def, err = h.Services.PublishService(ctx, c.tenant, c.app.Code, def); err != nil {
			return nil, err
		}
		if err = h.Services.EnableService(ctx, c.tenant, def.Key, i.enabled); err != nil {
			return nil, err
		}
		err = h.Services.RecordImport(ctx, c.tenant, c.app.Code, ticket.ImportedService{Key: def.Key, Catalog: i.catalog, Name: i.name, Left: i.left})
		return c.envelope(importedService{service{def.Number, def.Name, serviceType(def), def.Description}, api.List(i.left)}), err
	})
}
