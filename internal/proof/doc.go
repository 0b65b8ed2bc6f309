// Package proof holds tests alone: of fob as a whole, against what a store, a
// network, a clock and other instances do to it.
//
// Faults: every flow of the endpoints runs once to count its calls to the store,
// then again with a fault at each of them, with every two faults, and with
// another instance at work between any two calls, while a client repeats what is
// answered with 503. In memory the calls of the stores fail; on a DynamoDB engine
// requests below the SDK fail as networks and AWS let them. After each answer the
// store is read, and every token that was ever answered is asked for again.
//
// The package refuses to know how anything is done inside: it sees requests and
// answers, the interfaces of the stores, and what stands in them.
package proof
