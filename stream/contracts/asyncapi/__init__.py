"""The AsyncAPI 3.0 document of what subscribers may read, generated from the contracts.

`document` is pure: contracts and golden samples in, document out. `python -m stream.contracts.asyncapi` writes it.
"""

from stream.contracts.asyncapi.document import document
from stream.contracts.asyncapi.samples import Sample, Samples

__all__ = ["Sample", "Samples", "document"]
