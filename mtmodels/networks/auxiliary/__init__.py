"""Networks that only training needs: mapping, transfer, discriminator."""
