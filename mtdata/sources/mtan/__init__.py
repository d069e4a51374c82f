"""The arrays that MTAN distributes, of NYUv2 and Cityscapes."""
