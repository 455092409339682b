export {
  type MakeTokenStore,
  type TokenStoreCase,
  type TokenStoreTestRunner,
  type TokenStoreTraits,
  testTokenStore,
  tokenStoreCases,
} from "./testing/token-store-contract.ts";
