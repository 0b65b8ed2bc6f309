package oauth

import "github.com/fob-oauth/fob/internal/ledger"

// Until every caller says ledger.X.
type (
	ClientID      = ledger.ClientID
	Subject       = ledger.Subject
	SubjectKind   = ledger.SubjectKind
	TokenFormat   = ledger.TokenFormat
	Authorization = ledger.Authorization
	Record        = ledger.Record
	Slot          = ledger.Slot
	Epochs        = ledger.Epochs
	Nonce         = ledger.Nonce
	EndCondition  = ledger.EndCondition
	TokenResponse = ledger.Answer
)

const (
	UserSubject   = ledger.UserSubject
	ClientSubject = ledger.ClientSubject
	Opaque        = ledger.Opaque
)

var (
	SubjectKey = ledger.SubjectKey
	ClientKey  = ledger.ClientKey
)
