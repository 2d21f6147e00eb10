"""Arguments: checked, and arrays among them brought to NumPy."""

from .arguments import as_choice as as_choice
from .arguments import as_device as as_device
from .arguments import as_flag as as_flag
from .arguments import as_integer as as_integer
from .arguments import as_label_map as as_label_map
from .arguments import as_labels as as_labels
from .arguments import as_maps as as_maps
from .arguments import as_mask as as_mask
from .arguments import as_nonnegative as as_nonnegative
from .arguments import as_number as as_number
from .arguments import as_pair as as_pair
from .arguments import as_points as as_points
from .arguments import as_positive as as_positive
from .arguments import as_seed as as_seed
from .arguments import as_share as as_share
from .arguments import as_vectors as as_vectors
from .arguments import check_takes as check_takes
from .arguments import is_integer as is_integer
from .arguments import refuse_channels_last as refuse_channels_last
from .arguments import sides_of as sides_of
from .arrays import as_array as as_array
from .arrays import as_real as as_real
from .arrays import brief as brief
