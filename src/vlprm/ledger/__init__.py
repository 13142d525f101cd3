"""The reply ledger: what a stage's engine has answered is on disk at once, and never asked again.

A stage that asks a model is three parts. ``plan`` makes requests out of records; the recorded
engines of :mod:`vlprm.engines.recorded` answer them, from the ledger where it holds the answer;
``fold`` makes records out of requests and replies. Plan and fold are pure, so an output is a
projection of its ledger: a stage that was killed replays what it was told and goes on there.

``<output>.ledger`` lies beside a stage's first output. It is no input or output of a rule, outlives
a failed job, and stays when the output is complete: other settings of the fold (how a failed
continuation counts, how a reply is read) then ask nothing again. ``vlprm clean`` deletes the
ledgers of complete outputs.
"""
