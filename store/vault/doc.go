// Package vault keeps what is secret. Its table is data_keys; Reseal also rewrites the columns of other tables that hold text under the master key, all of
// which sealedColumns names, and VerifyToken reads the number of a ticket.
//
// What is encrypted names its key and belongs to an owner: it does not decrypt for another one, as it would have to in another row. What has to outlive
// the master key without being encrypted anew is under a data key, of which each purpose has its own.
//
// Keys that a transaction made are remembered only after its commit.
package vault
