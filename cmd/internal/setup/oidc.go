package setup

import (
	"errors"
	"time"

	"signalbox/console"
	"signalbox/console/oidc"
	"signalbox/console/signin"
)

// OIDC is the identity provider that people sign in to the pages by.
type OIDC struct {
	OIDCIssuer       string   `envconfig:"OIDC_ISSUER" desc:"OpenID provider that people sign in to the pages by, as it calls itself, such as https://login.example.com/realm; none: they have passwords"`
	OIDCClientID     string   `envconfig:"OIDC_CLIENT_ID" desc:"what the provider calls this installation; its redirect address is SIGNALBOX_PUBLIC_URL with /login/oidc/back behind it"`
	OIDCClientSecret string   `envconfig:"OIDC_CLIENT_SECRET" desc:"secret of the client; none: it is a public one"`
	OIDCScopes       []string `envconfig:"OIDC_SCOPES" default:"openid,profile,email" desc:"what the provider is asked for, with commas between"`
	OIDCClaimID      string   `envconfig:"OIDC_CLAIM_ID" default:"preferred_username" desc:"claim that is the person's id, as tickets and the directory name them; nobody may be able to choose it for themselves"`
	OIDCClaimName    string   `envconfig:"OIDC_CLAIM_NAME" default:"name" desc:"claim with what people are shown, for whom the directory does not know"`
	OIDCClaimGroups  string   `envconfig:"OIDC_CLAIM_GROUPS" default:"groups" desc:"claim with the groups of a person; who is in SIGNALBOX_ADMIN_GROUP is an admin"`
	OIDCTenant       string   `envconfig:"OIDC_TENANT" default:"default" desc:"tenant of those who come from the provider"`
	OIDCLabel        string   `envconfig:"OIDC_LABEL" desc:"text of the provider's button"`
}

// Check names the settings at fault.
func (o OIDC) Check() error {
	if o.OIDCIssuer == "" {
		return nil
	}
	var tenant, provider error
	if o.OIDCTenant == "" {
		tenant = wrong("OIDC_TENANT", "is required with "+key("OIDC_ISSUER"))
	}
	if err := o.config("").Check(); err != nil {
		provider = wrong("OIDC_ISSUER", err.Error()+"; see the settings beside it")
	}
	return errors.Join(tenant, provider)
}

func (o OIDC) config(publicURL PublicURL) oidc.Config {
	return oidc.Config{Issuer: o.OIDCIssuer, ClientID: o.OIDCClientID, ClientSecret: o.OIDCClientSecret, Scopes: o.OIDCScopes, Redirect: string(publicURL) + signin.BackPath, Now: time.Now,
		ClaimID: o.OIDCClaimID, ClaimName: o.OIDCClaimName, ClaimGroups: o.OIDCClaimGroups}
}

// pages has the pages know the provider, where there is one.
func (o OIDC) pages(c console.Config) console.Config {
	if o.OIDCIssuer != "" {
		c.Provider, c.ProviderTenant, c.ProviderLabel = oidc.New(o.config(PublicURL(c.PublicURL))), o.OIDCTenant, o.OIDCLabel
	}
	return c
}
