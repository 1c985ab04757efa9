// SPDX-License-Identifier: Apache-2.0
//! How a chaincode comes to be: what `_lifecycle` writes when organizations approve a definition and commit it
//! (`core/chaincode/lifecycle`).

use fastledger_wire::Height;

use crate::message::Message;
use crate::rwset::{collection, hashed_read, namespace, read, transaction, write};

/// The lifecycle's namespace, and the name of its chaincode.
pub(crate) const NAMESPACE: &str = "_lifecycle";
/// The version that system chaincodes run at.
pub(crate) const VERSION: &str = "syscc";
/// The only sequence of the only definition.
const SEQUENCE: u64 = 1;

/// A chaincode definition.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The chaincode's name.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// What every organization installed: label and hash of the package.
    pub(crate) package_id: String,
    /// `ApplicationPolicy` of its transactions.
    pub(crate) policy: Message,
    /// `CollectionConfigPackage`, empty for none.
    pub(crate) collections: Message,
}

/// What invoking the lifecycle takes and gives.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Function and its argument.
    pub(crate) arguments: Vec<Vec<u8>>,
    /// Encoded `TxReadWriteSet`.
    pub(crate) results: Vec<u8>,
}

impl Definition {
    /// The approval of one organization (`ApproveChaincodeDefinitionForMyOrg`).
    pub(crate) fn approval(&self, msp_id: &str) -> Invocation {
        let package = Message::new().present(3, &self.package_id).into_bytes();
        let sources = structure("ChaincodeLocalPackage", &["PackageID"]).into_bytes();
        let parameters = structure("ChaincodeParameters", &["EndorsementInfo", "ValidationInfo", "Collections"]);
        let private = format!("{}#{SEQUENCE}", self.name);
        let [collections, endorsement, validation] = self
            .parameters()
            .map(|(field, value)| (format!("namespaces/fields/{private}/{field}"), value.into_bytes()));
        let [package_key, sources_key, metadata_key] = [
            format!("chaincode-sources/fields/{private}/PackageID"),
            format!("chaincode-sources/metadata/{private}"),
            format!("namespaces/metadata/{private}"),
        ];
        let writes = [
            (package_key.as_str(), package.as_slice()),
            (&sources_key, &sources),
            (&collections.0, &collections.1),
            (&endorsement.0, &endorsement.1),
            (&validation.0, &validation.1),
            (&metadata_key, parameters.as_ref()),
        ];
        let reads = [&sources_key, &metadata_key].map(|key| hashed_read(key, None));
        let own = collection(&implicit_collection(msp_id), reads, &writes);
        let source = Message::new().bytes(2, Message::new().bytes(1, &self.package_id));
        Invocation {
            arguments: vec![
                b"ApproveChaincodeDefinitionForMyOrg".to_vec(),
                self.argument().bytes(9, source).into_bytes(),
            ],
            results: self.results(&self.public_reads(), [own]),
        }
    }

    /// The commit of the definition (`CommitChaincodeDefinition`), after these organizations approved it at these heights.
    pub(crate) fn commit<'m>(&self, approvals: impl IntoIterator<Item = (&'m str, Height)>) -> Invocation {
        let private = format!("{}#{SEQUENCE}", self.name);
        let approvals = approvals.into_iter().map(|(msp_id, height)| {
            let fields = ["Collections", "EndorsementInfo", "ValidationInfo"];
            let fields = fields.map(|field| format!("namespaces/fields/{private}/{field}"));
            let keys = fields.into_iter().chain([format!("namespaces/metadata/{private}")]);
            collection(&implicit_collection(msp_id), keys.map(|key| hashed_read(&key, Some(height))), &[])
        });
        Invocation {
            arguments: vec![b"CommitChaincodeDefinition".to_vec(), self.argument().into_bytes()],
            results: self.results(&self.writes(), approvals),
        }
    }

    /// What a transaction reads of the definition that was committed at this height, as a namespace of its read-write set.
    pub(crate) fn reads(&self, committed: Height) -> Message {
        let [collections, endorsement, sequence, validation, metadata] = self.keys();
        let keys = if self.collections.as_ref().is_empty() {
            vec![sequence]
        } else {
            vec![collections, endorsement, sequence, validation, metadata]
        };
        let reads = Message::new().repeated(1, keys.iter().map(|key| read(key, Some(committed))));
        namespace(NAMESPACE, &reads, [])
    }

    fn results(&self, public: &Message, collections: impl IntoIterator<Item = Message>) -> Vec<u8> {
        // Nobody else may have defined a chaincode of this name through the lifecycle before.
        let lscc = namespace("lscc", &Message::new().present(1, read(self.name, None)), []);
        transaction([namespace(NAMESPACE, public, collections), lscc]).into_bytes()
    }

    /// A first definition: there is none yet.
    fn public_reads(&self) -> Message {
        let [_, _, sequence, _, metadata] = self.keys();
        Message::new().repeated(1, [sequence, metadata].map(|key| read(&key, None)))
    }

    /// Reads and writes of the commit, by key.
    fn writes(&self) -> Message {
        let [collections, endorsement, validation] = self.parameters().map(|(_, value)| value);
        let sequence = Message::new().present_number(1, SEQUENCE);
        let fields = ["Sequence", "EndorsementInfo", "ValidationInfo", "Collections"];
        let metadata = structure("ChaincodeDefinition", &fields);
        let values = [collections, endorsement, sequence, validation, metadata];
        let writes = self.keys().into_iter().zip(values).map(|(key, value)| write(&key, value.as_ref()));
        self.public_reads().repeated(3, writes)
    }

    /// Where the definition's fields stand, in order.
    fn keys(&self) -> [String; 5] {
        let field = |field| format!("namespaces/fields/{}/{field}", self.name);
        let metadata = format!("namespaces/metadata/{}", self.name);
        [field("Collections"), field("EndorsementInfo"), field("Sequence"), field("ValidationInfo"), metadata]
    }

    /// What organizations must agree on, each as a `StateData` of bytes.
    fn parameters(&self) -> [(&'static str, Message); 3] {
        let endorsement = Message::new().bytes(1, self.version).bytes(3, "escc");
        let validation = Message::new().bytes(1, "vscc").bytes(2, &self.policy);
        let bytes = |value: &Message| Message::new().present(2, value);
        [
            ("Collections", bytes(&self.collections)),
            ("EndorsementInfo", bytes(&endorsement)),
            ("ValidationInfo", bytes(&validation)),
        ]
    }

    /// The fields that the arguments of approval and commit have in common.
    fn argument(&self) -> Message {
        Message::new()
            .number(1, SEQUENCE)
            .bytes(2, self.name)
            .bytes(3, self.version)
            .bytes(6, &self.policy)
            .bytes(7, &self.collections)
    }
}

/// `StateMetadata`.
fn structure(datatype: &str, fields: &[&str]) -> Message {
    Message::new().bytes(1, datatype).repeated(2, fields)
}

fn implicit_collection(msp_id: &str) -> String {
    format!("_implicit_org_{msp_id}")
}

#[cfg(test)]
mod tests {
    use fastledger_vectors::Corpus;
    use fastledger_wire::Message as _;
    use fastledger_wire::common::{Block, Envelope, Payload};
    use fastledger_wire::peer::{
        ChaincodeAction, ChaincodeActionPayload, ChaincodeInvocationSpec, ChaincodeProposalPayload,
        ProposalResponsePayload, Transaction,
    };

    use super::{Definition, Height, Invocation};
    use crate::policies::{application, out_of, role};

    /// The invocation in the only transaction of a real block.
    fn real(block: &[u8]) -> Invocation {
        let block = Block::decode(block).unwrap();
        let envelope = Envelope::decode(block.data.unwrap().data[0]).unwrap();
        let transaction = Transaction::decode(Payload::decode(envelope.payload).unwrap().data).unwrap();
        let payload = ChaincodeActionPayload::decode(transaction.actions[0].payload).unwrap();
        let response = ProposalResponsePayload::decode(payload.action.unwrap().proposal_response_payload).unwrap();
        let proposal = ChaincodeProposalPayload::decode(payload.chaincode_proposal_payload).unwrap();
        let spec = ChaincodeInvocationSpec::decode(proposal.input).unwrap().chaincode_spec.unwrap();
        Invocation {
            arguments: spec.input.unwrap().args.into_iter().map(<[u8]>::to_vec).collect(),
            results: ChaincodeAction::decode(response.extension).unwrap().results.to_vec(),
        }
    }

    /// The corpus' first blocks hold the approvals of three organizations and the commit, all by a real peer.
    #[test]
    fn approvals_and_commit_are_those_of_a_real_peer_byte_for_byte() {
        let corpus = Corpus::kept("fabric-3.1/small");
        let blocks = corpus.delivered_blocks();
        let definition = Definition {
            name: "basic",
            version: "1.0",
            package_id: "corpuscc_1:ddf836faf1b151a5cc3e48c32469926d427d775c305e545e40e4460df8e1796a".to_owned(),
            policy: application(&out_of(2, &[("Org1MSP", role::PEER), ("Org2MSP", role::PEER)])),
            collections: super::Message::new(),
        };
        let msp_ids = ["Org1MSP", "Org2MSP", "Org3MSP"];
        for (msp_id, block) in msp_ids.iter().zip(&blocks[1..]) {
            let (ours, theirs) = (definition.approval(msp_id), real(block));
            assert_eq!((ours.arguments, ours.results), (theirs.arguments, theirs.results), "{msp_id}");
        }
        let approvals = msp_ids.into_iter().zip((1..).map(|block| Height { block, tx: 0 }));
        let (ours, theirs) = (definition.commit(approvals), real(blocks[4]));
        assert_eq!((ours.arguments, ours.results), (theirs.arguments, theirs.results));
    }
}
