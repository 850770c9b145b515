"""The loyalty rules, pure: values in, values out. No clock, no input, no output.

money · order · rules · points · tiers      what an order counts, what spend earns
account · accrual · customer                a customer's state and how facts change it
snapshots · balances                        complete walks heal; what the provider says is taken
reconcile · cases · profile                 the two sides compared, and what is told of it
"""
